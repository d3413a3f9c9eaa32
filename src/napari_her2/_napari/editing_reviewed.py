"""How much has been reviewed, as figures and as a small picture. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.annotation import coverage, outline_raster, reviewed_shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_her2._napari.editing_case import EditCase
    from napari_her2._napari.editing_lanes import Lanes
    from napari_her2.annotation import AreaBook, Coverage

__all__ = ["Overview", "ReviewedProgress"]

PICTURE_PX = 320
REVIEWED_COLOUR = np.array([0, 183, 195], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """What is left to be reviewed.

    Attributes
    ----------
    coverage : Coverage
    picture : uint8 ndarray of shape (rows, cols, 3)
        The slide; what is left is dimmed, what was reviewed is tinted.
    of : str
        What is to be reviewed, in words.
    """

    coverage: Coverage
    picture: NDArray[np.uint8]
    of: str

    @property
    def words(self) -> str:
        """One line."""
        found = self.coverage
        whole, left = f"{found.target_mm2:.2f} mm²", f"{found.left_mm2:.2f} mm² left"
        return f"{found.percent_done:.0f} % of {self.of} ({whole}) · {left}"


class ReviewedProgress:
    """Works out what is left, off the window's thread, each time the reviewed areas change.

    Parameters
    ----------
    lanes : Lanes
    show : callable
        Takes the new overview.
    failed : callable
        Takes an error.
    """

    def __init__(
        self, lanes: Lanes, show: Callable[[Overview], None], failed: Callable[[BaseException], None]
    ) -> None:
        self._lanes, self._show, self._failed = lanes, show, failed
        self._target: tuple[EditCase, NDArray[np.bool_], float, str, NDArray[np.uint8]] | None = None
        self._turn = 0
        self.latest: Overview | None = None

    def update(self, case: EditCase, book: AreaBook) -> None:
        """Work it out again."""
        self._turn += 1
        turn, reviewed = self._turn, reviewed_shape(book)

        def work() -> Overview:
            if self._target is None or self._target[0] is not case:
                self._target = (case, *_target(case))
            _, target, um, of, thumbnail = self._target
            found = coverage(target, um, reviewed, case.target.um_per_px)
            return Overview(found, _picture(thumbnail, found), of)

        def done(overview: Overview) -> None:
            if turn == self._turn:
                self.latest = overview
                self._show(overview)

        self._lanes.submit("look", work, done, self._failed)


def _target(case: EditCase) -> tuple[NDArray[np.bool_], float, str, NDArray[np.uint8]]:
    """Return what is to be reviewed: the tumour area where it is known, else the tissue."""
    from napari_her2.tissue import find_tissue

    slide: Any = case.target.pyramid.source.slide  # type: ignore[attr-defined]
    thumbnail = slide.thumbnail(PICTURE_PX)
    rings = case.outlines_um()
    if rings:
        size = case.target.shape[0] * case.target.um_per_px, case.target.shape[1] * case.target.um_per_px
        return outline_raster(rings, size), 8.0, "the tumour area", thumbnail
    tissue = find_tissue(slide)
    return tissue.labels == 1, float(tissue.um_per_px), "the tissue", thumbnail


def _picture(thumbnail: NDArray[np.uint8], found: Coverage) -> NDArray[np.uint8]:
    rows, cols = thumbnail.shape[:2]
    at = np.ix_(
        np.arange(rows) * found.target.shape[0] // rows, np.arange(cols) * found.target.shape[1] // cols
    )
    done, left = found.done[at], (found.target & ~found.done)[at]
    out = thumbnail.astype(np.float32)
    out[~(done | left)] = out[~(done | left)] * 0.35 + 90
    out[done] = out[done] * 0.55 + REVIEWED_COLOUR * 0.45
    edge = left & ~(np.roll(left, 1, 0) & np.roll(left, -1, 0) & np.roll(left, 1, 1) & np.roll(left, -1, 1))
    out[edge] = (230, 60, 40)
    return out.clip(0, 255).astype(np.uint8)
