"""Synthetic slides of every format, written from one seeded picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path


class MakeSlide(Protocol):
    def __call__(self, kind: str, picture: np.ndarray, **how: Any) -> Path: ...


def smooth(rows: int, cols: int, seed: int = 0) -> np.ndarray:
    """Soft blobs of colour: JPEG keeps them to within a few grey values."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(40, 215, (rows // 24 + 3, cols // 24 + 3, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (cols, rows), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def halves(picture: np.ndarray, n: int, factor: float = 2.0) -> list[np.ndarray]:
    """Return the picture and n - 1 levels; sizes are rounded down and what is left over is cut off."""
    levels = [picture]
    for k in range(1, n):
        rows, cols = (int(side / factor**k) for side in picture.shape[:2])
        used = picture[: round(rows * factor**k), : round(cols * factor**k)]
        levels.append(cv2.resize(used, (cols, rows), interpolation=cv2.INTER_AREA))
    return levels


def write_ome_tiff(path: Path, levels: list[np.ndarray], um: float | None = 0.25, **how: Any) -> None:
    metadata: dict[str, Any] = {"axes": "YXS"}
    if um is not None:
        metadata |= {f"PhysicalSize{axis}": um for axis in "XY"}
        metadata |= {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
    how = {"tile": (128, 128), "photometric": "rgb", "compression": "jpeg"} | how
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(levels[0], subifds=len(levels) - 1, metadata=metadata, **how)
        for level in levels[1:]:
            tiff.write(level, subfiletype=1, **how)


def write_tiff(path: Path, levels: list[np.ndarray], reduced: bool = True, **how: Any) -> None:
    how = {"photometric": "rgb", "metadata": None} | how
    with tifffile.TiffWriter(path) as tiff:
        for k, level in enumerate(levels):
            planar = how.get("planarconfig") == "separate"
            pixels = np.moveaxis(level, 2, 0) if planar else level
            tiff.write(pixels, subfiletype=1 if k and reduced else 0, **how)


def write_zarr(
    path: Path, levels: list[np.ndarray], ngff: str = "0.5", axes: str = "cyx", **how: Any
) -> None:
    """``um`` and ``unit`` set the scale; everything else goes to ``create_array``."""
    um, unit = how.pop("um", 0.25), how.pop("unit", "micrometer")
    names = {"t": "time", "c": "channel"}
    described = [{"name": a, "type": names.get(a, "space")} for a in axes]
    for axis in described:
        if axis["name"] in "yx" and unit:
            axis["unit"] = unit
    root = zarr.open_group(str(path), mode="w", zarr_format=2 if ngff == "0.4" else 3)
    datasets = []
    for k, level in enumerate(levels):
        array = _ordered(level if level.ndim == 3 else level[..., None], axes)
        chunk = {"y": 100, "x": 120, "c": array.shape[-1] if axes.endswith("c") else 1}
        options = {"chunks": tuple(chunk.get(a, 1) for a in axes)} | how
        stored = root.create_array(str(k), shape=array.shape, dtype=array.dtype, **options)
        stored[...] = array
        scale = [um * levels[0].shape[0] / level.shape[0] if a in "yx" else 1.0 for a in axes]
        datasets.append({"path": str(k), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    multiscales = [{"version": ngff, "axes": described, "datasets": datasets}]
    modern = {"ome": {"version": ngff, "multiscales": multiscales}}
    root.attrs.update({"multiscales": multiscales} if ngff == "0.4" else modern)


def _ordered(picture: np.ndarray, axes: str) -> np.ndarray:
    """(y, x, c) in the order of ``axes``; t and z of length 1."""
    if "c" not in axes:
        picture = picture[..., 0]
    kept = [a for a in axes if a in "yxc"]
    array = np.transpose(picture, ["yxc".index(a) for a in kept])
    return array.reshape([array.shape[kept.index(a)] if a in kept else 1 for a in axes])


def write_picture(path: Path, levels: list[np.ndarray], **how: Any) -> None:
    Image.fromarray(levels[0]).save(path, **how)


WRITERS = {
    "ome.tif": write_ome_tiff,
    "tif": write_tiff,
    "zarr": write_zarr,
    "png": write_picture,
    "jpg": write_picture,
}


@pytest.fixture
def make_slide(tmp_path: Path) -> MakeSlide:
    """Write a picture (or its levels) as a slide; ``n_levels`` and ``factor`` make the pyramid."""

    def make(kind: str, picture: np.ndarray, **how: Any) -> Path:
        name, n, factor = how.pop("name", "slide"), how.pop("n_levels", 1), how.pop("factor", 2.0)
        path = tmp_path / f"{name}.{kind}"
        WRITERS[kind](path, how.pop("levels", None) or halves(picture, n, factor), **how)
        return path

    return make


@pytest.fixture(scope="session")
def soft_picture() -> np.ndarray:
    """A picture whose sides no tile divides."""
    return smooth(437, 611)
