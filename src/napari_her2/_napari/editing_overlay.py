"""Areas and cells drawn into one picture of the size of the view.

napari builds a mesh for each polygon, 20 000 of them take seconds; a picture of what is in view takes
milliseconds for any number, and its lines have the same width at every power.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.annotation import REVIEWED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from napari_her2.annotation import Area, View

__all__ = ["Dots", "Sheet", "ViewPicture", "boundary_sheet", "draw_areas", "draw_dots"]

SHIFT: Final = 4
"""Corners are drawn to 1/16 of a pixel of the screen."""

MOST_PX: Final = 2200
MARGIN: Final = 0.08
FILLED: Final = 300
"""Chosen and reviewed areas are tinted while no more than so many are in view."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A picture over a part of the slide.

    Attributes
    ----------
    rgba : uint8 ndarray of shape (rows, cols, 4)
    top_um, left_um : float
        Its corner.
    um_per_px : float
    """

    rgba: NDArray[np.uint8]
    top_um: float
    left_um: float
    um_per_px: float

    @classmethod
    def over(cls, view: View, rows_px: int) -> Sheet:
        """Return a clear sheet over a view (and a little more) that is ``rows_px`` high on the screen."""
        height, width = view.size_um
        um = max(
            height / max(rows_px, 1), height * (1 + 2 * MARGIN) / MOST_PX, width * (1 + 2 * MARGIN) / MOST_PX
        )
        rows, cols = (max(1, round(size * (1 + 2 * MARGIN) / um)) for size in (height, width))
        corner = view.top - height * MARGIN, view.left - width * MARGIN
        return cls(np.zeros((rows, cols, 4), np.uint8), *corner, um)

    @property
    def bounds_um(self) -> tuple[float, float, float, float]:
        """Top, left, bottom, right."""
        rows, cols = self.rgba.shape[:2]
        bottom, right = self.top_um + rows * self.um_per_px, self.left_um + cols * self.um_per_px
        return self.top_um, self.left_um, bottom, right

    def xy(self, points_um: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return points (n, 2) as (x, y) in 1/16 pixels, as OpenCV wants them."""
        pixels = (points_um - (self.top_um, self.left_um)) / self.um_per_px - 0.5
        return np.round(np.clip(pixels, -30_000, 30_000)[:, ::-1] * 2**SHIFT).astype(np.int32)


def rgba_of(colour: str, alpha: int = 255) -> tuple[int, int, int, int]:
    """``#RRGGBB`` → four numbers."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue, alpha


def draw_areas(
    sheet: Sheet, areas: Sequence[Area], um_per_px: float, selected: Iterable[str] = (), *, tint: bool = True
) -> None:
    """Draw the outlines of areas, the chosen ones wider and with their corners.

    Parameters
    ----------
    sheet : Sheet
    areas : sequence of Area
        Level-0 pixels.
    um_per_px : float
        Of level 0.
    selected : iterable of str
        Keys.
    tint : bool
        Whether chosen and reviewed areas are tinted.
    """
    import cv2

    chosen = set(selected)
    by_look: dict[tuple[str, bool], list[Area]] = {}
    for area in areas:
        by_look.setdefault((area.colour, area.key in chosen), []).append(area)
    for (colour, thick), group in sorted(by_look.items(), key=lambda item: item[0][1]):
        rings = _rings(sheet, group, um_per_px)
        alpha = 46 if thick else 26 if group[0].name == REVIEWED else 0
        if tint and alpha and len(areas) <= FILLED:
            for area in group:
                cv2.fillPoly(
                    sheet.rgba, _rings(sheet, [area], um_per_px), rgba_of(colour, alpha), cv2.LINE_8, SHIFT
                )
        if thick:
            cv2.polylines(sheet.rgba, rings, True, (255, 255, 255, 255), 5, cv2.LINE_8, SHIFT)
        cv2.polylines(sheet.rgba, rings, True, rgba_of(colour), 3 if thick else 2, cv2.LINE_8, SHIFT)


def _rings(sheet: Sheet, areas: Sequence[Area], um_per_px: float) -> list[NDArray[np.int32]]:
    """Return all rings of some areas; what is smaller than a pixel of the screen becomes one."""
    from shapely import get_coordinates, get_rings

    rings = get_rings(np.array([area.shape for area in areas], object))
    points, index = get_coordinates(rings, return_index=True)
    placed = sheet.xy(points * um_per_px)
    starts = np.flatnonzero(np.diff(index, prepend=-1))
    return np.split(placed, starts[1:]) if len(placed) else []


@dataclass(frozen=True, slots=True, eq=False)
class Dots:
    """Cells to be drawn.

    Attributes
    ----------
    points_um : float64 ndarray of shape (n, 2)
    colours : uint8 ndarray of shape (n, 4)
    hollow : bool ndarray of shape (n,)
        Drawn as a ring: does not count.
    marked : bool ndarray of shape (n,)
        With a white rim: a person has said something about it.
    """

    points_um: NDArray[np.float64]
    colours: NDArray[np.uint8]
    hollow: NDArray[np.bool_]
    marked: NDArray[np.bool_]


MOST_DISCS: Final = 6000


def draw_dots(sheet: Sheet, dots: Dots, diameter_um: float = 6.0) -> None:
    """Draw cells as discs, or as single pixels where very many are in view."""
    import cv2

    radius = max(diameter_um / sheet.um_per_px / 2, 1.5)
    if len(dots.points_um) > MOST_DISCS:
        _draw_pixels(sheet, dots)
        return
    fine = int(radius * 2**SHIFT)
    for (x, y), colour, hollow, marked in zip(
        sheet.xy(dots.points_um), dots.colours.tolist(), dots.hollow, dots.marked, strict=True
    ):
        at = (int(x), int(y))
        if marked:
            cv2.circle(sheet.rgba, at, fine + (2 << SHIFT), (255, 255, 255, 255), 3, cv2.LINE_8, SHIFT)
        if hollow:
            cv2.circle(sheet.rgba, at, fine, colour, 2, cv2.LINE_8, SHIFT)
        else:
            cv2.circle(sheet.rgba, at, fine, colour, -1, cv2.LINE_8, SHIFT)


def _draw_pixels(sheet: Sheet, dots: Dots) -> None:
    xy = sheet.xy(dots.points_um) >> SHIFT
    rows, cols = sheet.rgba.shape[:2]
    inside = (xy[:, 0] >= 0) & (xy[:, 1] >= 0) & (xy[:, 0] < cols - 1) & (xy[:, 1] < rows - 1) & ~dots.hollow
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        sheet.rgba[xy[inside, 1] + dy, xy[inside, 0] + dx] = dots.colours[inside]


BOUNDARY: Final = (0, 150, 190, 150)
"""Seen on white, on blue nuclei and on brown membranes alike."""


def boundary_sheet(numbers: NDArray[np.int32], corner_um: tuple[float, float], um_per_px: float) -> Sheet:
    """Return the boundaries between regions as a picture, one pixel wide.

    Parameters
    ----------
    numbers : int32 ndarray of shape (rows, cols)
        Number of the region of each pixel.
    corner_um : tuple of float
        (row, col) of the corner of the first pixel.
    um_per_px : float
    """
    edge = np.zeros(numbers.shape, np.bool_)
    edge[1:] |= numbers[1:] != numbers[:-1]
    edge[:, 1:] |= numbers[:, 1:] != numbers[:, :-1]
    rgba = np.zeros((*numbers.shape, 4), np.uint8)
    rgba[edge] = BOUNDARY
    return Sheet(rgba, *corner_um, um_per_px)


class ViewPicture:
    """The picture as a layer of napari; follows the slide that it lies on.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    name : str
        Of the layer.
    """

    def __init__(self, viewer: Any, name: str) -> None:
        self.viewer, self._name = viewer, name
        self.layer: Any = None
        self._slide: Any = None

    def show(self, sheet: Sheet, slide: Any) -> None:
        """Show a sheet over a slide's layer."""
        um = sheet.um_per_px
        shift = (sheet.top_um + um / 2, sheet.left_um + um / 2)
        if self.layer is None or self.layer not in self.viewer.layers:
            self._add(sheet, slide, shift)
            return
        blocked = getattr(self.layer, "_block_refresh", nullcontext)
        with blocked():
            self.layer.data = sheet.rgba
            self.layer.scale, self.layer.translate = (um, um), shift
        self.layer.refresh(extent=False, thumbnail=False, highlight=False)

    def _add(self, sheet: Sheet, slide: Any, shift: tuple[float, float]) -> None:
        from napari.layers import Image

        self.clear()
        um = sheet.um_per_px
        self.layer = Image(
            sheet.rgba, rgb=True, name=self._name, scale=(um, um), translate=shift, units=("um", "um"),
            axis_labels=("y", "x"), affine=np.asarray(slide.affine), blending="translucent_no_depth",
            metadata={"napari_her2": {"key": "picture"}},
        )  # fmt: skip
        # napari makes a new layer the active one: the mouse would leave the pen that is in hand.
        in_hand = self.viewer.layers.selection.active
        self.viewer.layers.append(self.layer)
        if in_hand is not None and in_hand in self.viewer.layers:
            self.viewer.layers.selection.active = in_hand
        self._slide = slide
        slide.events.affine.connect(self._moved)

    def _moved(self, *_: Any) -> None:
        if self.layer is not None:
            self.layer.affine = np.asarray(self._slide.affine)

    def clear(self) -> None:
        """Take the layer away; what is in the person's hand stays there."""
        if self._slide is not None:
            self._slide.events.affine.disconnect(self._moved)
        if self.layer is not None and self.layer in self.viewer.layers:
            in_hand = self.viewer.layers.selection.active
            self.viewer.layers.remove(self.layer)
            if in_hand is not None and in_hand in self.viewer.layers:
                self.viewer.layers.selection.active = in_hand
        self.layer = self._slide = None
