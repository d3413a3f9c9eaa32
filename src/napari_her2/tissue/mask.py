"""Where tissue lies on a slide, what disturbs it, and which piece of glass is whose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from napari_her2.geometry import Box
    from napari_her2.vocabulary import Score

__all__ = ["TISSUE_LABELS", "Piece", "Role", "TissueMask", "with_roles"]

T = TypeVar("T", bound=np.generic)
Role = Literal["patient", "control", "duplicate", "ignore"]

TISSUE_LABELS: Final[dict[str, int]] = {
    "background": 0,
    "tissue": 1,
    "pen": 2,
    "fold": 3,
    "blur": 4,
    "edge": 5,
}
"""Values of a tissue raster; ``edge`` is a coverslip's edge, a scan border or other dark debris."""

_ARTEFACTS: Final = ("pen", "fold", "blur", "edge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One connected piece of tissue on the glass.

    Attributes
    ----------
    label : int
        Value in :attr:`TissueMask.pieces`; 1 is the largest piece.
    box : Box
        Bounding box in level-0 pixels.
    area_mm2 : float
        Area of its tissue, artefacts left out.
    role : {"patient", "control", "duplicate", "ignore"}
        Only ``patient`` counts.
    expected_score : Score or None
        What a control should show.
    confirmed : bool
        Whether a person has set the role (otherwise it is a proposal).
    """

    label: int
    box: Box
    area_mm2: float
    role: Role = "patient"
    expected_score: Score | None = None
    confirmed: bool = False

    @property
    def counts(self) -> bool:
        """Whether cells of this piece enter the score."""
        return self.role == "patient"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TissueMask:
    """Tissue and artefacts on a raster whose pixel (r, c) covers level-0 pixels [r*s, (r+1)*s).

    Attributes
    ----------
    labels : uint8 ndarray of shape (rows, cols)
        Values of :data:`TISSUE_LABELS`.
    pieces : int32 ndarray of shape (rows, cols)
        0 none, otherwise a :attr:`Piece.label`; set on tissue, folded and blurred tissue.
    piece_list : tuple of Piece
        In order of label.
    um_per_px : float
        Of a raster pixel.
    slide_um_per_px : float
        Of a level-0 pixel.
    reason : str
        Why there is no tissue, if there is none; otherwise empty.
    focus : float or None
        Share (0..1) of the assessable tissue that is in focus; None where nothing could be judged.
    """

    labels: NDArray[np.uint8]
    pieces: NDArray[np.int32]
    piece_list: tuple[Piece, ...]
    um_per_px: float
    slide_um_per_px: float
    reason: str = ""
    focus: float | None = None

    @property
    def level0_px(self) -> float:
        """Level-0 pixels along the side of a raster pixel (``s``)."""
        return self.um_per_px / self.slide_um_per_px

    @property
    def tissue(self) -> NDArray[np.bool_]:
        """Usable tissue of any piece."""
        return self.labels == TISSUE_LABELS["tissue"]

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Usable tissue of the pieces that count (role ``patient``)."""
        keep = np.zeros(max((p.label for p in self.piece_list), default=0) + 1, np.bool_)
        keep[[p.label for p in self.piece_list if p.counts]] = True
        return self.tissue & keep[self.pieces]

    @property
    def tissue_mm2(self) -> float:
        """Area of usable tissue."""
        return self.mm2("tissue")

    @property
    def excluded_mm2(self) -> dict[str, float]:
        """Area left out, by reason: pen, fold, blur, edge."""
        return {name: self.mm2(name) for name in _ARTEFACTS}

    def mm2(self, label: str) -> float:
        """Area in mm² of one of :data:`TISSUE_LABELS`."""
        return float(np.count_nonzero(self.labels == TISSUE_LABELS[label])) * self.um_per_px**2 / 1e6

    def at(self, points_px: ArrayLike, slide_um_per_px: float | None = None) -> NDArray[np.uint8]:
        """Label under each point (n, 2), (row, col) in level-0 pixels; 0 outside the raster."""
        return self._sample(self.labels, points_px, slide_um_per_px)

    def piece_at(self, points_px: ArrayLike, slide_um_per_px: float | None = None) -> NDArray[np.int32]:
        """Piece label under each point (n, 2), (row, col) in level-0 pixels; 0 for none."""
        return self._sample(self.pieces, points_px, slide_um_per_px)

    def fraction(self, box: Box, *, counted: bool = True) -> float:
        """Share (0..1) of a level-0 box that is usable tissue (of pieces that count, unless told)."""
        scale = self.level0_px
        rows = slice(max(int(box.row // scale), 0), max(int(np.ceil(box.row_stop / scale)), 0))
        cols = slice(max(int(box.col // scale), 0), max(int(np.ceil(box.col_stop / scale)), 0))
        part = (self.counted if counted else self.tissue)[rows, cols]
        return float(part.mean()) if part.size else 0.0

    def _sample(self, raster: NDArray[T], points_px: ArrayLike, slide_um_per_px: float | None) -> NDArray[T]:
        um = self.slide_um_per_px if slide_um_per_px is None else slide_um_per_px
        return sample(raster, points_px, self.um_per_px / um)


def sample(raster: NDArray[T], points_px: ArrayLike, level0_px: float) -> NDArray[T]:
    """Value of a corner-based raster under level-0 points (n, 2); zero outside it."""
    points = np.asarray(points_px, np.float64).reshape(-1, 2)
    index = np.floor(points / level0_px).astype(np.int64)
    inside = ((index >= 0) & (index < raster.shape)).all(axis=1)
    values = np.zeros(len(points), raster.dtype)
    values[inside] = raster[index[inside, 0], index[inside, 1]]
    return values


def with_roles(mask: TissueMask, roles: Mapping[int, Role | Piece]) -> TissueMask:
    """Return the mask with roles set by a person; the other pieces stay as they are.

    Parameters
    ----------
    mask : TissueMask
    roles : mapping of piece label to a role, or to a whole Piece (as :func:`propose_roles` returns)
        A bare role is marked as confirmed; a control without expected score is expected to show 3+.

    Raises
    ------
    ValueError
        If a label names no piece of the mask.
    """
    unknown = sorted(set(roles) - {piece.label for piece in mask.piece_list})
    if unknown:
        raise ValueError(f"the slide has no piece {unknown[0]}, only 1 to {len(mask.piece_list)}")
    pieces = tuple(_with_role(piece, roles.get(piece.label)) for piece in mask.piece_list)
    return replace(mask, piece_list=pieces)


def _with_role(piece: Piece, role: Role | Piece | None) -> Piece:
    if role is None:
        return piece
    if isinstance(role, Piece):
        return replace(piece, role=role.role, expected_score=role.expected_score, confirmed=role.confirmed)
    expected: Score | None = (piece.expected_score or "3+") if role == "control" else None
    return replace(piece, role=role, expected_score=expected, confirmed=True)
