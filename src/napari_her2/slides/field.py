"""Plain camera pictures (PNG, JPEG): decoded once, on first use, and held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_her2.errors import SlideError
from napari_her2.slides.held import HELD_TILE_PX, Held, check_size
from napari_her2.slides.source import Facts, Grid, refuse_pixels

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

__all__ = ["FieldSource"]

MODES = {"L": "RGB", "RGB": "RGB", "RGBA": "RGBA", "LA": "RGBA", "P": "RGBA", "PA": "RGBA"}
PNG_DEPTH_AT = 24  # of the file: bits per sample, in the header that every PNG starts with


class FieldSource:
    """One picture; its header is read when opened, its pixels when first asked for."""

    def __init__(self, path: Path) -> None:
        self._path, self._name = path, path.name
        self._closed = False
        with self._image() as image:
            cols, rows = image.size
            check_size(self._name, (rows, cols))
            if image.mode not in MODES or _png_depth(path) > 8:
                raise refuse_pixels(self._name, f"pixels of the kind {image.mode} ({_png_depth(path)} bits)")
            self._icc = image.info.get("icc_profile") or None
        self._held = Held(self._decode)
        self.facts = Facts(format="field", grids=(Grid((rows, cols), (HELD_TILE_PX, HELD_TILE_PX)),))

    def _image(self) -> ImageFile:
        """Open by kind, so that Pillow's process-wide limit on pixels, which only warns, has no say."""
        from PIL.JpegImagePlugin import JpegImageFile
        from PIL.PngImagePlugin import PngImageFile

        with self._path.open("rb") as file:
            kind: type[ImageFile] = PngImageFile if file.read(1) == b"\x89" else JpegImageFile
        try:
            return kind(self._path)
        except (SyntaxError, ValueError, OSError) as error:
            raise self._damaged(error) from error

    def _decode(self) -> NDArray[np.uint8]:
        with self._image() as image:
            try:
                image.load()
            except (OSError, SyntaxError, ValueError) as error:
                raise self._damaged(error) from error
            pixels = _array(image, MODES[image.mode])
        opaque = pixels.shape[2] == 4 and bool((pixels[..., 3] == 255).all())
        return np.ascontiguousarray(pixels[..., :3]) if opaque else pixels

    def _damaged(self, error: Exception) -> SlideError:
        return SlideError(f"{self._name} is a damaged picture ({str(error)[:120]}): copy or export it again")

    def tile(self, level: int, row: int, col: int) -> NDArray[np.uint8]:
        """Return one tile; see :class:`napari_her2.slides.source.Source`."""
        if self._closed or level != 0:
            raise SlideError(f"{self._name} is closed: open it again to read from it")
        return self._held.tile(row, col)

    def associated_image(self, name: str) -> NDArray[np.uint8]:
        """Pictures have none."""
        raise SlideError(f"{self._name} has no associated image {name!r}")

    def icc(self) -> bytes | None:
        """Return the embedded colour profile."""
        return self._icc

    def close(self) -> None:
        """Drop the pixels."""
        self._closed = True
        self._held = Held(self._decode)


def _array(image: Image, mode: str) -> NDArray[np.uint8]:
    """Pixels as (h, w, 3 or 4), converted in bands: Pillow would hold two further copies of the whole."""
    cols, rows = image.size
    pixels = np.empty((rows, cols, len(mode)), np.uint8)
    for row in range(0, rows, HELD_TILE_PX):
        band = image.crop((0, row, cols, min(row + HELD_TILE_PX, rows)))
        pixels[row : row + HELD_TILE_PX] = np.asarray(band.convert(mode))
    return pixels


def _png_depth(path: Path) -> int:
    """Bits per sample of a PNG; 8 for a JPEG. Pillow reads 16-bit colours as 8 without a word."""
    with path.open("rb") as file:
        head = file.read(PNG_DEPTH_AT + 1)
    return head[PNG_DEPTH_AT] if head[:1] == b"\x89" and len(head) > PNG_DEPTH_AT else 8
