"""Masks → napari layer data: the edit window, and the whole mask at low power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2._napari.editing_pixels import MODEL_AGAIN
from napari_her2._napari.pyramid import TilePyramid
from napari_her2.annotation import read_labels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_her2._napari.editing_pixels import WindowPixels
    from napari_her2._napari.layers import LayerData
    from napari_her2._napari.tiles import TileKey, TileLoader
    from napari_her2.annotation import EditableMask, MaskKind, ModelLabels
    from napari_her2.geometry import Box

__all__ = [
    "EDIT_LAYER",
    "MASK_LAYER",
    "MaskPyramid",
    "MaskSource",
    "edit_layer",
    "label_colours",
    "mask_layer",
]

EDIT_LAYER = "edit window"
MASK_LAYER = "mask"
_UM: dict[str, Any] = {"units": ("um", "um"), "axis_labels": ("y", "x")}


class MaskSource:
    """What holds, model and person together, on every level; read on background threads.

    Parameters
    ----------
    mask : EditableMask
    model : ModelLabels
    """

    channels = None
    dtype = np.dtype(np.uint8)

    def __init__(self, mask: EditableMask, model: ModelLabels) -> None:
        self._mask, self._model = mask, model
        self.level_shapes = mask.pyramid.shapes

    def read(self, box: Box, level: int) -> NDArray[Any]:
        """Labels of a box."""
        return read_labels(self._mask, self._model, box, level)

    def reduce(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Every second value: labels cannot be averaged."""
        return pixels[::2, ::2]

    def fill(self) -> int:
        """Nothing there."""
        return 0

    def close(self) -> None:
        """Nothing is held."""


class MaskPyramid(TilePyramid):
    """The mask on the screen; painting makes its tiles stale."""

    def __init__(self, source: MaskSource, loader: TileLoader, *, live: bool = False) -> None:
        super().__init__(source, loader, live=live)

    def changed(self, boxes: Iterable[Box]) -> None:
        """Forget the tiles that touch these boxes of level 0."""
        for box in boxes:
            for level in range(len(self.levels)):
                for key in self.keys(level, box.divided(2**level)):
                    self._forget(key)

    def _forget(self, key: TileKey) -> None:
        if key.level == self.last_level:
            self._overview_there.discard(key)
        else:
            self.loader.cache.forget(id(self), key)


def label_colours(kind: MaskKind) -> Any:
    """Return napari's colours of the classes of a mask; background is clear."""
    from napari.utils.colormaps import DirectLabelColormap

    clear = np.zeros(4, np.float32)
    colours: dict[int | None, Any] = {None: clear, 0: clear}
    colours |= {one.value: _rgba(one.colour) for one in kind.classes if one.value}
    colours[MODEL_AGAIN] = np.array([1, 1, 1, 0.35], np.float32)
    return DirectLabelColormap(color_dict=colours)


def _rgba(colour: str) -> NDArray[np.float32]:
    return np.array([*(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)), 1], np.float32)


def edit_layer(pixels: WindowPixels, kind: MaskKind, **more: Any) -> LayerData:
    """Return the edit window: an ordinary labels layer that napari can paint on."""
    um = pixels.window.scale_um
    meta = {
        "name": f"{EDIT_LAYER}: {kind.title}",
        "scale": (um, um),
        "translate": pixels.window.translate_um,
        "colormap": label_colours(kind),
        "metadata": {"napari_her2": {"key": "edit"}},
        **_UM,
        **more,
    }
    return pixels.shown.copy(), meta, "labels"


def mask_layer(pyramid: MaskPyramid, kind: MaskKind, um_per_px: float, **more: Any) -> LayerData:
    """Return the whole mask, for low power; nobody paints on it."""
    meta = {
        "name": f"{MASK_LAYER}: {kind.title}",
        "multiscale": True,
        "cache": False,
        "scale": (um_per_px, um_per_px),
        "translate": (um_per_px / 2, um_per_px / 2),
        "colormap": label_colours(kind),
        "metadata": {"napari_her2": {"key": "mask"}},
        **_UM,
        **more,
    }
    return pyramid.data, meta, "labels"
