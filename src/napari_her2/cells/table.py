"""The table of cells: one numpy column per measurement, rows sorted by place."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["CELL_SOURCES", "CellTable"]

CELL_SOURCES: Final = ("nucleus", "lattice")

DTYPES: dict[str, str] = {
    "row_px": "f8",
    "col_px": "f8",
    "class_code": "u1",
    "completeness": "f4",
    "intensity_od": "f4",
    "membrane_width_um": "f4",
    "nucleus_area_um2": "f4",
    "epithelial": "f4",
    "in_tumour": "?",
    "excluded": "u1",
    "source": "u1",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellTable:
    """Cells of one slide or region; every column has one entry per cell.

    Attributes
    ----------
    row_px, col_px : float64
        Centre of the nucleus in level-0 pixels, corner-based.
    class_code : uint8
        Index in ``vocabulary.CELL_CLASSES``.
    completeness : float32
        Share of the outline with a line of at least a weak membrane's height, 0..1.
    intensity_od : float32
        Upper quartile of the height of the membrane's line, log10 OD on the scale of a usual slide
        (:data:`~napari_her2.cells.planes.USUAL_NUCLEUS_OD`); 0 without stain.
    membrane_width_um : float32
        Full width at half height of the stained membrane; 0 without stain.
    nucleus_area_um2 : float32
        NaN for a cell of the lattice.
    epithelial : float32
        Probability that the nucleus is one of invasive epithelium, on the IHC itself, 0..1.
    in_tumour : bool
        Judged invasive epithelium and, once a gate was applied, inside the tumour area.
    excluded : uint8
        Index in ``vocabulary.EXCLUDED_REASONS``; 0 means that the cell counts.
    source : uint8
        Index in :data:`CELL_SOURCES`: found by its nucleus, or as a hole of the lattice of membranes.

    Raises
    ------
    ValueError
        If the columns differ in length.
    """

    row_px: NDArray[np.float64]
    col_px: NDArray[np.float64]
    class_code: NDArray[np.uint8]
    completeness: NDArray[np.float32]
    intensity_od: NDArray[np.float32]
    membrane_width_um: NDArray[np.float32]
    nucleus_area_um2: NDArray[np.float32]
    epithelial: NDArray[np.float32]
    in_tumour: NDArray[np.bool_]
    excluded: NDArray[np.uint8]
    source: NDArray[np.uint8]

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in DTYPES}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns of a cell table must be equally long, got {lengths}")

    @classmethod
    def of(cls, **columns: ArrayLike) -> CellTable:
        """From array-likes of any dtype, sorted by (row, col); without ``source`` all have a nucleus."""
        columns = {"source": np.zeros(len(np.asarray(columns["row_px"])), "u1"), **columns}
        cast = {name: np.asarray(columns.pop(name), dtype) for name, dtype in DTYPES.items()}
        if columns:
            raise ValueError(f"a cell table has no column {sorted(columns)[0]!r}")
        return cls(**cast).sorted()

    @classmethod
    def empty(cls) -> CellTable:
        """Return a table without cells."""
        return cls(**{name: np.empty(0, dtype) for name, dtype in DTYPES.items()})

    @classmethod
    def concat(cls, tables: Sequence[CellTable]) -> CellTable:
        """Join tables and sort by (row, col)."""
        if not tables:
            return cls.empty()
        joined = {name: np.concatenate([getattr(t, name) for t in tables]) for name in DTYPES}
        return cls(**joined).sorted()

    def __len__(self) -> int:
        return len(self.row_px)

    @property
    def points_px(self) -> NDArray[np.float64]:
        """Centres (n, 2) as (row, col), level-0 pixels."""
        return np.column_stack([self.row_px, self.col_px])

    @property
    def evaluable(self) -> NDArray[np.bool_]:
        """Cells that count: in the tumour and not excluded."""
        return np.asarray(self.in_tumour & (self.excluded == 0))

    @property
    def unsure(self) -> NDArray[np.bool_]:
        """Tumour cells that do not count only because they lie too near to the edge of the carried area."""
        return np.asarray(self.in_tumour & (self.excluded == EXCLUDED_REASONS.index("unsure_gate")))

    def sorted(self) -> CellTable:
        """Rows in the fixed order, by (row, col)."""
        return self.select(np.lexsort((self.col_px, self.row_px)))

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> CellTable:
        """Rows of a mask or of indices."""
        return CellTable(**{name: getattr(self, name)[chosen] for name in DTYPES})

    def with_(self, **columns: ArrayLike) -> CellTable:
        """Return a copy with some columns replaced."""
        return replace(self, **{name: np.asarray(v, DTYPES[name]) for name, v in columns.items()})

    def exclude(self, chosen: NDArray[np.bool_], reason: str) -> CellTable:
        """Return a copy in which ``chosen`` cells are excluded for ``reason``; a reason that stands stays."""
        code = EXCLUDED_REASONS.index(reason)
        return self.with_(excluded=np.where(chosen & (self.excluded == 0), code, self.excluded))

    def counts(self) -> dict[str, int]:
        """Count evaluable cells per class."""
        codes = np.bincount(self.class_code[self.evaluable], minlength=len(CELL_CLASSES))
        return {name: int(n) for name, n in zip(CELL_CLASSES, codes, strict=True)}

    def excluded_counts(self) -> dict[str, int]:
        """Excluded cells per reason; reasons without cells are left out."""
        codes = np.bincount(self.excluded, minlength=len(EXCLUDED_REASONS))
        named = zip(EXCLUDED_REASONS[1:], codes[1:], strict=True)
        return {reason: int(n) for reason, n in named if n}

    def to_columns(self) -> dict[str, NDArray[np.generic]]:
        """Columns of the file format (contracts, section 4): x, y at the edge, words for codes."""
        return {
            "x": self.col_px,
            "y": self.row_px,
            "class": np.asarray(CELL_CLASSES)[self.class_code],
            "completeness": self.completeness,
            "intensity_od": self.intensity_od,
            "membrane_width_um": self.membrane_width_um,
            "nucleus_area_um2": self.nucleus_area_um2,
            "in_tumour": self.in_tumour,
            "excluded": np.asarray(EXCLUDED_REASONS)[self.excluded],
            "epithelial": self.epithelial,
            "source": np.asarray(CELL_SOURCES)[self.source],
        }

    @classmethod
    def from_columns(cls, columns: dict[str, ArrayLike]) -> CellTable:
        """From the columns of a file.

        Cells of 0.1.0 have neither ``epithelial``, which becomes 1 or 0, nor ``source``: all had a nucleus.
        """
        of_class: dict[str, int] = {name: i for i, name in enumerate(CELL_CLASSES)}
        of_reason = {name: i for i, name in enumerate(EXCLUDED_REASONS)}
        of_source = {name: i for i, name in enumerate(CELL_SOURCES)}
        in_tumour = np.asarray(columns["in_tumour"], bool)
        count = len(in_tumour)
        return cls.of(
            row_px=columns["y"],
            col_px=columns["x"],
            class_code=[of_class[str(name)] for name in np.asarray(columns["class"])],
            excluded=[of_reason[str(name)] for name in np.asarray(columns["excluded"])],
            in_tumour=in_tumour,
            epithelial=columns.get("epithelial", in_tumour),
            source=[of_source[str(name)] for name in np.asarray(columns.get("source", ["nucleus"] * count))],
            **{f.name: columns[f.name] for f in fields(cls) if f.name in _SHARED},
        )


_SHARED = ("completeness", "intensity_od", "membrane_width_um", "nucleus_area_um2")
