"""How many tumour cells show which membrane staining: the only input of a guideline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.errors import UsageError
from napari_her2.vocabulary import CELL_CLASSES, CellClass

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COLUMNS", "CellCounts", "percent_text"]

COLUMNS: Final[tuple[str, ...]] = (
    "none",
    "incomplete_faint",
    "incomplete_moderate",
    "incomplete_intense",
    "complete_weak_moderate",
    "complete_intense",
)
"""Columns of a table of counts, from no staining to the strongest."""

_SUM: Final = "incomplete_moderate_intense"
_SPLIT: Final = ("incomplete_moderate", "incomplete_intense")
_KEYS: Final = ("complete_intense", "complete_weak_moderate", _SUM, "incomplete_faint", "none")
_MOST: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCounts:
    """Evaluable tumour cells by membrane staining.

    Attributes
    ----------
    complete_intense, complete_weak_moderate, incomplete_moderate_intense, incomplete_faint, none : int
        Cells of the classes 3+, 2+, unusual, 1+ and 0.
    incomplete_moderate, incomplete_intense : int, optional
        The two parts of ``incomplete_moderate_intense`` where they are known (gastric rules ask for them).

    Raises
    ------
    UsageError
        If a count is negative or no whole number, or if the parts do not add up to their sum.
    """

    complete_intense: int = 0
    complete_weak_moderate: int = 0
    incomplete_moderate_intense: int = 0
    incomplete_faint: int = 0
    none: int = 0
    incomplete_moderate: int | None = None
    incomplete_intense: int | None = None

    def __post_init__(self) -> None:
        for key in _KEYS:
            object.__setattr__(self, key, _whole(key, getattr(self, key)))
        parts = [getattr(self, key) for key in _SPLIT]
        if parts == [None, None]:
            return
        if None in parts:
            raise UsageError(
                "counts hold one of incomplete_moderate and incomplete_intense: give both or none"
            )
        whole = [_whole(key, part) for key, part in zip(_SPLIT, parts, strict=True)]
        for key, part in zip(_SPLIT, whole, strict=True):
            object.__setattr__(self, key, part)
        if sum(whole) != self.incomplete_moderate_intense:
            raise UsageError(
                f"incomplete_moderate {whole[0]} and incomplete_intense {whole[1]} do not add up to "
                f"incomplete_moderate_intense {self.incomplete_moderate_intense}"
            )

    @classmethod
    def from_json(cls, data: object, *, what: str = "counts") -> CellCounts:
        """Check and take an object as ``rule --counts`` has it.

        Parameters
        ----------
        data : mapping
            Keys as the attributes; a missing one is 0, but ``counts`` must state ``none``, which
            percentages are taken of.
        what : str
            Its name in messages: ``counts`` or ``clusters``.
        """
        values = _mapping(data, what)
        if what == "counts" and "none" not in values:
            raise UsageError(
                'counts lack "none", without which percentages have no denominator: add it, 0 if so'
            )
        split = {key: values[key] for key in _SPLIT if values.get(key) is not None}
        if len(split) == 2 and _SUM not in values:
            values[_SUM] = sum(_whole(key, value) for key, value in split.items())
        return cls(**values)  # checked by __post_init__

    @classmethod
    def from_codes(cls, codes: NDArray[np.uint8], intense: NDArray[np.bool_] | None = None) -> CellCounts:
        """Count cells by their class codes (index in ``CELL_CLASSES``).

        Parameters
        ----------
        codes : ndarray of shape (n,)
        intense : ndarray of shape (n,), optional
            Whether an unusual cell stains intensely; with it the two parts of the sum are known.
        """
        by_class = np.bincount(np.asarray(codes, np.intp), minlength=len(CELL_CLASSES))
        number = {name: int(by_class[code]) for code, name in enumerate(CELL_CLASSES)}
        strong = None
        if intense is not None:
            unusual = np.asarray(codes) == CELL_CLASSES.index("unusual")
            strong = int(np.count_nonzero(unusual & np.asarray(intense, bool)))
        return cls(
            complete_intense=number["3+"],
            complete_weak_moderate=number["2+"],
            incomplete_moderate_intense=number["unusual"],
            incomplete_faint=number["1+"],
            none=number["0"],
            incomplete_moderate=None if strong is None else number["unusual"] - strong,
            incomplete_intense=strong,
        )

    @classmethod
    def from_classes(cls, numbers: Mapping[str, int]) -> CellCounts:
        """Take numbers by class (``"0"`` to ``"3+"`` and ``"unusual"``); a missing class is 0."""
        unknown = [str(name)[:40] for name in numbers if name not in CELL_CLASSES]
        if unknown:
            raise UsageError(f"there is no HER2 class {unknown[0]!r}: they are {', '.join(CELL_CLASSES)}")
        return cls(
            complete_intense=numbers.get("3+", 0),
            complete_weak_moderate=numbers.get("2+", 0),
            incomplete_moderate_intense=numbers.get("unusual", 0),
            incomplete_faint=numbers.get("1+", 0),
            none=numbers.get("0", 0),
        )

    @property
    def total(self) -> int:
        """All evaluable cells."""
        return sum(getattr(self, key) for key in _KEYS)

    @property
    def stained(self) -> int:
        """Cells with any membrane staining."""
        return self.total - self.none

    @property
    def split_known(self) -> bool:
        """Whether moderate and intense incomplete staining are told apart (or there is none)."""
        return self.incomplete_intense is not None or self.incomplete_moderate_intense == 0

    @property
    def by_class(self) -> dict[CellClass, int]:
        """Cells by class, the strongest first."""
        return {
            "3+": self.complete_intense,
            "2+": self.complete_weak_moderate,
            "unusual": self.incomplete_moderate_intense,
            "1+": self.incomplete_faint,
            "0": self.none,
        }

    @property
    def percent(self) -> dict[CellClass, float]:
        """Percentage of evaluable cells by class; all 0 if there are no cells."""
        total = max(self.total, 1)
        return {name: 100 * number / total for name, number in self.by_class.items()}

    @property
    def h_score(self) -> float:
        """H-score, 0 to 300: 1 x %1+ plus 2 x %2+ plus 3 x %3+; unusual weighs as 2+."""
        weights = {"3+": 3, "2+": 2, "unusual": 2, "1+": 1, "0": 0}
        return 100 * sum(weights[name] * n for name, n in self.by_class.items()) / max(self.total, 1)

    def columns(self, *, unknown_as: str = "incomplete_moderate") -> NDArray[np.int64]:
        """Return counts in the order of ``COLUMNS``; an unknown split goes to ``unknown_as`` as a whole."""
        number = {key: getattr(self, key) or 0 for key in COLUMNS}
        if self.incomplete_intense is None:
            number[unknown_as] = self.incomplete_moderate_intense
        return np.array([number[key] for key in COLUMNS], np.int64)

    def within(self, all_cells: CellCounts) -> CellCounts:
        """Read these as cells of one cluster among ``all_cells``: the rest counts as unstained.

        Raises
        ------
        UsageError
            If the cluster holds more cells of a kind than there are.
        """
        for name, number in self.by_class.items():
            if name != "0" and number > all_cells.by_class[name]:
                raise UsageError(
                    f"clusters hold {number} cells of class {name}, counts only {all_cells.by_class[name]}: "
                    "a cluster is part of the counted cells"
                )
        return replace(self, none=all_cells.total - self.stained)

    def to_json(self) -> dict[str, int]:
        """Return the object that :meth:`from_json` takes."""
        split = () if self.incomplete_intense is None else _SPLIT
        return {key: getattr(self, key) for key in (*_KEYS, *split)}


def percent_text(part: int, total: int, cutoffs: tuple[float, ...] = (10.0,)) -> str:
    """Percentage for a person: one decimal, more where one would hide on which side of a cut-off it lies.

    >>> percent_text(1001, 10_000), percent_text(100, 1000), percent_text(5, 7)
    ('10.01', '10.0', '71.4')
    """
    exact = Fraction(100 * part, max(total, 1))
    for digits in range(1, 12):
        shown = Fraction(f"{float(exact):.{digits}f}")
        if all(_side(shown, cut) == _side(exact, cut) for cut in map(_fraction, cutoffs)):
            return f"{float(exact):.{digits}f}"
    return f"{float(exact):.12f}"


def _fraction(number: float) -> Fraction:
    return Fraction(str(number))


def _side(value: Fraction, cut: Fraction) -> int:
    return (value > cut) - (value < cut)


def _mapping(data: object, what: str) -> dict[str, int]:
    known = (*_KEYS, *_SPLIT)
    if not isinstance(data, Mapping):
        raise UsageError(f"{what} must be a JSON object with the keys {', '.join(known)}")
    unknown = [str(key)[:60] for key in data if key not in known]
    if unknown:
        raise UsageError(f"{what} hold the unknown key {unknown[0]!r}: the keys are {', '.join(known)}")
    return dict(data)


def _whole(key: str, value: object) -> int:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise UsageError(f"{key} is {str(value)[:60]!r}: a count is a whole number from 0")
    if not math.isfinite(value) or value != int(value) or not 0 <= value <= _MOST:
        raise UsageError(f"{key} is {value}: a count is a whole number from 0 to {_MOST}")
    return int(value)


def as_counts(data: CellCounts | Mapping[str, int], *, what: str = "counts") -> CellCounts:
    """Take counts or the object that describes them."""
    return data if isinstance(data, CellCounts) else CellCounts.from_json(data, what=what)
