"""Truth rasters: label pyramids in OME-Zarr 0.5, written band by band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BLOCK", "LabelPyramid"]

BLOCK: Final = 256
"""Side of a stored block: half a tile of the slide."""


class LabelPyramid:
    """A uint8 label image, filled block by block in any order and from any thread, then made coarser.

    Parameters
    ----------
    path : Path
    shape : (rows, cols)
        At the finest level.
    um_per_px : float
        Of the finest level.
    labels : mapping of name to (value, colour or None)
    """

    def __init__(
        self, path: Path, shape: tuple[int, int], um_per_px: float, labels: dict[str, tuple[int, str | None]]
    ) -> None:
        import zarr

        shapes = [shape]
        while max(shapes[-1]) > BLOCK and min(shapes[-1]) > 1:
            shapes.append((shapes[-1][0] // 2, shapes[-1][1] // 2))
        how = {"chunks": (BLOCK, BLOCK), "dtype": "uint8", "fill_value": 0, "dimension_names": ("y", "x")}
        group = zarr.open_group(path, mode="w", zarr_format=3)
        self._levels = [group.create_array(str(k), shape=size, **how) for k, size in enumerate(shapes)]
        self._filled: set[tuple[int, int]] = set()
        group.attrs["ome"] = _metadata(path.stem, um_per_px, len(shapes), labels)

    def put(self, row: int, col: int, block: NDArray[np.uint8]) -> None:
        """Write the block (row, col), counted in blocks of 256 px, at the finest level."""
        if self._write(0, row, col, block):
            self._filled.add((row, col))

    def finish(self) -> None:
        """Make the coarser levels: each pixel takes the label of one of the four it covers."""
        filled = self._filled
        for k in range(1, len(self._levels)):
            filled = {(row // 2, col // 2) for row, col in filled}
            for row, col in sorted(filled):
                top, left = 2 * BLOCK * row, 2 * BLOCK * col
                fine = self._levels[k - 1][top : top + 2 * BLOCK, left : left + 2 * BLOCK]
                self._write(k, row, col, fine[1::2, 1::2])

    def _write(self, k: int, row: int, col: int, block: NDArray[np.uint8]) -> bool:
        rows, cols = self._levels[k].shape
        top, left = BLOCK * row, BLOCK * col
        part = block[: max(rows - top, 0), : max(cols - left, 0)]
        if not part.any():
            return False
        self._levels[k][top : top + part.shape[0], left : left + part.shape[1]] = part
        return True


def _metadata(
    name: str, um_per_px: float, levels: int, labels: dict[str, tuple[int, str | None]]
) -> dict[str, Any]:
    """Attributes that OME-Zarr 0.5 asks of a multiscale label image."""
    datasets = []
    for k in range(levels):
        scale = um_per_px * 2**k
        shift = (scale - um_per_px) / 2
        datasets.append(
            {
                "path": str(k),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [scale, scale]},
                    {"type": "translation", "translation": [shift, shift]},
                ],
            }
        )
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    coloured = [(value, colour) for value, colour in labels.values() if colour is not None]
    return {
        "version": "0.5",
        "multiscales": [{"name": name, "axes": axes, "datasets": datasets}],
        "image-label": {
            "version": "0.5",
            "colors": [{"label-value": value, "rgba": _rgba(colour)} for value, colour in coloured],
            "properties": [{"label-value": value, "name": key} for key, (value, _) in labels.items()],
        },
    }


def _rgba(colour: str) -> list[int]:
    return [int(colour[k : k + 2], 16) for k in (1, 3, 5)] + [255]
