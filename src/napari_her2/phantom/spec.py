"""What may be asked of a phantom, checked before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from napari_her2.errors import UsageError
from napari_her2.phantom.faults import Faults
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.vocabulary import Score

__all__ = ["MIX_KEYS", "TYPICAL_MIXES", "UM_PER_PX", "PhantomSpec", "Stain"]

Stain = Literal["he", "ihc"]

UM_PER_PX: Final = 0.25
"""Pixel size of both rendered slides."""

MIX_KEYS: Final = ("3+", "2+", "unusual", "1+", "0")
"""Keys of a mix, from the strongest."""

TYPICAL_MIXES: Final[dict[Score, dict[str, float]]] = {
    "0": {"1+": 4.0, "0": 96.0},
    "1+": {"2+": 3.0, "1+": 47.0, "0": 50.0},
    "2+": {"3+": 3.0, "2+": 52.0, "unusual": 3.0, "1+": 27.0, "0": 15.0},
    "3+": {"3+": 72.0, "2+": 17.0, "unusual": 2.0, "1+": 6.0, "0": 3.0},
}
"""Percent of tumour cells per class when only the score is given."""

_MIN_UM: Final = 200.0
_MAX_UM: Final = 50_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomSpec:
    """A pair of serial sections to be drawn; equal specs give equal pixels.

    Attributes
    ----------
    seed : int
        Chooses architecture and cells.
    score : {"0", "1+", "2+", "3+"}
        Chooses a typical mix when ``mix`` is None.
    mix : mapping or None
        Percent of the invasive tumour cells per class; keys of :data:`MIX_KEYS`, sum 100.
    size_um : (width, height)
        Size of the H&E slide in µm, from 200. The IHC slide has the same size unless the rotated
        tissue needs more room, or control tissue or further levels are put beside it.
    rotate_deg : float
        Rotation of the IHC section, counter-clockwise on the screen.
    mirror : bool
        Whether the IHC section lies face down.
    warp_um : float
        Root mean square of the smooth deformation over the tissue, after the best affine map.
    missing, shrink, in_situ : float
        Fractions: of the tissue missing on the IHC, of length lost there, of the carcinoma that is in situ.
    control : bool
        Put control tissue (3+ and 0) beside the patient's on the IHC glass.
    pen, fold, blur : bool
        Draw that artefact on both slides.
    stain_seed : int or None
        Chooses stain vectors, strengths, white point and background; ``seed`` when None.
    levels : int
        Sections of the same tissue on each glass, 1 to 4; the first one counts.
    faults : Faults
        Faults of real slides, each with its strength; none by default.

    Raises
    ------
    UsageError
        If a value is outside its range or the mix does not add up.
    """

    seed: int = 0
    score: Score = "3+"
    mix: Mapping[str, float] | None = None
    size_um: tuple[float, float] = (1000.0, 1000.0)
    rotate_deg: float = 0.0
    mirror: bool = False
    warp_um: float = 8.0
    missing: float = 0.0
    shrink: float = 0.0
    in_situ: float = 0.0
    control: bool = False
    pen: bool = False
    fold: bool = False
    blur: bool = False
    stain_seed: int | None = None
    levels: int = 1
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        _check_size(self.size_um)
        _check_range("seed", self.seed, 0, 2**63 - 1)
        _check_range("stain seed", self.light_seed, 0, 2**63 - 1)
        _check_range("rotation", self.rotate_deg, -360.0, 360.0)
        _check_range("warp", self.warp_um, 0.0, min(200.0, 0.06 * min(self.size_um)))
        _check_range("missing fraction", self.missing, 0.0, 0.6)
        _check_range("shrinkage", self.shrink, 0.0, 0.3)
        _check_range("in-situ fraction", self.in_situ, 0.0, 0.9)
        _check_range("number of levels", self.levels, 1, 4)
        if self.score not in SCORES:
            raise UsageError(f"{self.score!r} is no score: choose one of {', '.join(SCORES)}")
        if self.mix is not None:
            _check_mix(self.mix)

    @property
    def light_seed(self) -> int:
        """Seed of stain and scanner."""
        return self.seed if self.stain_seed is None else self.stain_seed

    @property
    def percent(self) -> dict[str, float]:
        """Wanted percent of the invasive tumour cells for every key of :data:`MIX_KEYS`."""
        given = TYPICAL_MIXES[self.score] if self.mix is None else self.mix
        return {key: float(given.get(key, 0.0)) for key in MIX_KEYS}

    @property
    def shape_px(self) -> tuple[int, int]:
        """Rows and columns of the H&E slide."""
        width, height = self.size_um
        return round(height / UM_PER_PX), round(width / UM_PER_PX)


def _check_size(size_um: tuple[float, float]) -> None:
    if len(tuple(size_um)) != 2 or not all(_MIN_UM <= side <= _MAX_UM for side in size_um):
        raise UsageError(
            f"a phantom of {' x '.join(f'{side:g}' for side in size_um)} µm cannot be drawn: "
            f"each side must lie between {_MIN_UM:g} and {_MAX_UM:g} µm"
        )


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"the {name} {value:g} is outside {low:g} to {high:g}: choose a value inside")


def _is_percent(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 100.0


def _check_mix(mix: Mapping[str, float]) -> None:
    unknown = sorted(set(mix) - set(MIX_KEYS))
    if unknown:
        raise UsageError(f"the mix names {unknown[0]!r}: use the keys {', '.join(MIX_KEYS)}")
    if not all(_is_percent(value) for value in mix.values()):
        raise UsageError("the mix holds a value outside 0 to 100: give percent of tumour cells")
    total = sum(float(value) for value in mix.values())
    if abs(total - 100.0) > 0.01:
        raise UsageError(f"the mix adds up to {total:g} percent: make it 100 (within 0.01)")
