"""The H&E drawn on the IHC's grid by the whole mapping, and one stain of the IHC alone; made tile by tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_her2._napari.pyramid import TilePyramid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2._napari.sources import PixelSource
    from napari_her2._napari.tiles import TileLoader
    from napari_her2.geometry import Box
    from napari_her2.mapping import SlideMapping
    from napari_her2.slides import Slide

__all__ = ["Curtain", "CurtainPyramid", "StainSource", "WarpedSource"]

CurtainKind = Literal["blend", "swipe", "checkerboard"]
SMALLEST_PX = 96
"""The coarsest level: napari keeps that one as it is, so it must not be one that is looked at."""
ALONE = (128, 128, 128, 110)
"""Grey veil where the two slides share no tissue."""


def shapes_below(shapes: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return level shapes with halved ones added until the last is tiny."""
    found = list(shapes)
    while max(found[-1]) > SMALLEST_PX:
        found.append(((found[-1][0] + 1) // 2, (found[-1][1] + 1) // 2))
    return tuple(found)


class WarpedSource:
    """The H&E as it lies on the IHC: (rows, cols, 4) uint8; grey and half clear where nothing is shared.

    Parameters
    ----------
    he : Slide
        Stays somebody else's: it is not closed here.
    mapping : SlideMapping
    shapes : tuple of (rows, cols)
        Levels of the IHC.
    """

    dtype = np.dtype(np.uint8)
    channels = 4

    def __init__(self, he: Slide, mapping: SlideMapping, shapes: tuple[tuple[int, int], ...]) -> None:
        self.he, self.mapping = he, mapping
        self.level_shapes = shapes_below(shapes)

    def read(self, box: Box, level: int) -> NDArray[np.uint8]:
        """Pull the pixels of ``box`` from the H&E."""
        import cv2

        rows, cols, shared = self._places(box, level)
        out = np.empty((box.height, box.width, 4), np.uint8)
        found = self._source_box(rows, cols, level)
        out[..., 3] = 255
        if found is None:
            out[...] = ALONE
            return out
        he_level, region, downsample = found
        pixels = self.he.read_level(region, he_level)
        at_row = (rows / downsample - region.row - 0.5).astype(np.float32)
        at_col = (cols / downsample - region.col - 0.5).astype(np.float32)
        white = tuple(float(value) for value in self.he.white)
        out[..., :3] = cv2.remap(pixels, at_col, at_row, cv2.INTER_LINEAR, borderValue=white)
        out[shared < 0.5] = ALONE
        return out

    def _places(self, box: Box, level: int) -> list[NDArray[np.float32]]:
        """Return where each pixel of the box lies on the H&E (level-0 row, col), and whether it is shared."""
        from napari_her2.mapping.dense import dense

        scale = self.level_shapes[0][0] / self.level_shapes[level][0]

        def pull(points: NDArray[np.float64]) -> NDArray[np.float64]:
            on_ihc = (points + np.array((box.row, box.col))) * scale
            return np.column_stack(
                [self.mapping.ihc_to_he(on_ihc), self.mapping.inside(on_ihc, "ihc").astype(np.float64)]
            )

        return dense(pull, (box.height, box.width))

    def _source_box(
        self, rows: NDArray[np.float32], cols: NDArray[np.float32], level: int
    ) -> tuple[int, Box, float] | None:
        """Return the H&E's level that is fine enough, the part of it that is needed, and its downsample."""
        from napari_her2.geometry import Box

        wanted = self.mapping.ihc.um_per_px * self.level_shapes[0][0] / self.level_shapes[level][0]
        fine = [one for one in self.he.levels if one.downsample * self.mapping.he.um_per_px <= wanted * 1.05]
        chosen = max(fine, key=lambda one: one.downsample, default=self.he.levels[0])
        down = chosen.downsample
        low = np.floor([rows.min() / down - 2, cols.min() / down - 2]).astype(int)
        high = np.ceil([rows.max() / down + 2, cols.max() / down + 2]).astype(int)
        size = np.maximum(high - low, 1)
        whole = Box(int(low[0]), int(low[1]), int(size[0]), int(size[1]))
        part = whole.intersect(Box.of_shape(chosen.shape))
        return None if part is None else (chosen.index, part, down)

    def reduce(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Every second pixel; all levels are read, so that this is not needed."""
        return pixels[::2, ::2]

    def fill(self) -> NDArray[np.uint8] | int:
        """Clear until it was read."""
        return 0

    def close(self) -> None:
        """Do nothing: the slide belongs to the case."""


class StainSource:
    """One stain of an IHC slide alone: haematoxylin or DAB, the other taken out; (rows, cols, 3) uint8.

    Parameters
    ----------
    slide : Slide
        Stays somebody else's.
    stain : {"haematoxylin", "dab"}
    shapes : tuple of (rows, cols)
    """

    dtype = np.dtype(np.uint8)
    channels = 3

    def __init__(
        self, slide: Slide, stain: Literal["haematoxylin", "dab"], shapes: tuple[tuple[int, int], ...]
    ) -> None:
        self.slide, self._column = slide, 0 if stain == "haematoxylin" else 1
        self.level_shapes = shapes

    def read(self, box: Box, level: int) -> NDArray[np.uint8]:
        """Unmix the pixels of ``box`` and mix them again from the one stain."""
        from napari_her2.stain import H_DAB, mix, optical_density, unmix

        white = np.asarray(self.slide.white)
        amounts = unmix(optical_density(self.slide.read_level(box, level), white), H_DAB)
        alone = np.zeros_like(amounts)
        alone[..., self._column] = np.maximum(amounts[..., self._column], 0)
        return np.clip(white * 10.0 ** -mix(alone, H_DAB), 0, 255).astype(np.uint8)

    def reduce(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Mean of 2 x 2 pixels."""
        rows, cols, _ = pixels.shape
        blocks = pixels.reshape(rows // 2, 2, cols // 2, 2, 3)
        return blocks.mean(axis=(1, 3)).astype(np.uint8)

    def fill(self) -> int:
        """White until it was read."""
        return 255

    def close(self) -> None:
        """Do nothing: the slide belongs to the case."""


@dataclass(frozen=True, slots=True)
class Curtain:
    """Which part of a picture is shown.

    Attributes
    ----------
    kind : {"blend", "swipe", "checkerboard"}
        All of it, what lies right of a line, or every second square.
    line : float
        Column of the line, as a fraction of the picture's width.
    square : float
        Side of the squares, as a fraction of the picture's width.
    """

    kind: CurtainKind = "blend"
    line: float = 0.5
    square: float = 0.05

    def mask(self, box: Box, width: int) -> NDArray[np.bool_]:
        """Return which pixels of a box are shown, (rows or 1, cols); its level is ``width`` pixels wide."""
        cols = (np.arange(box.col, box.col_stop) + 0.5) / width
        if self.kind == "blend":
            return np.ones((1, box.width), bool)
        if self.kind == "swipe":
            return (cols >= self.line)[None]
        rows = (np.arange(box.row, box.row_stop) + 0.5) / width
        board = np.floor(rows / self.square)[:, None] + np.floor(cols / self.square)[None]
        return np.asarray(board % 2 == 0)


class CurtainPyramid(TilePyramid):
    """A pyramid with a curtain before it: drawing the curtain reads nothing again."""

    def __init__(self, source: PixelSource, loader: TileLoader, *, live: bool = False) -> None:
        super().__init__(source, loader, live=live)
        self.curtain = Curtain()

    def display(self, level: int, box: Box) -> NDArray[Any]:
        """Return what is there of a box and not behind the curtain."""
        pixels = super().display(level, box)
        if self.curtain.kind == "blend":
            return pixels
        shown = pixels.copy()
        shown[..., 3] *= self.curtain.mask(box, self.levels[level].shape[1])
        return shown
