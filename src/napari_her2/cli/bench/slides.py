"""Large slides for benchmarks: tiles of phantom H&E, turned and mixed, since drawing all of it takes long."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Tiles = list[NDArray[np.uint8]]

__all__ = ["large_slide", "mosaic"]

UM_PER_PX: Final = 0.25
QUALITY: Final = 80
TILES: Final = 8
"""Of each kind, from each phantom."""
PHANTOM_UM: Final = 2000.0
SEEDS: Final = (1, 2)
TILE_PX: Final = 512
STEP: Final = 64
SOLID: Final = 60
FEW: Final = 2
"""Carcinoma cells in a tile of 128 µm from which on, and up to which, it counts as tumour and as none."""
GLASS: Final = 225
AROUND: Final = 8
TRIALS: Final = 24
SMOOTH: Final = 5.0
"""Of the borders of tumour in a mosaic, in tiles."""


def large_slide(work: Path, size_px: int) -> Path:
    """Return an H&E slide of size_px x size_px at 0.25 µm/px, pyramidal, tissue all over."""

    def draw_from(tiles: dict[str, Tiles]) -> Callable[[int, int], NDArray[np.uint8]]:
        every = tiles["tumour"] + tiles["other"]
        return lambda row, col: _turned(every, row, col)

    return _written(work, f"tissue-{size_px}", size_px, draw_from)


def mosaic(work: Path, size_px: int, tumour: float = 0.2) -> Path:
    """Return such a slide on which a share of the area is tumour, in islands of a millimetre or so.

    The tiles are of phantoms; which ones are tumour is known from its cells, not from a model.
    """
    from scipy import ndimage

    side = -(-size_px // TILE_PX)
    field = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(side, side)), SMOOTH)
    islands = field > np.quantile(field, 1 - tumour)

    def draw_from(tiles: dict[str, Tiles]) -> Callable[[int, int], NDArray[np.uint8]]:
        def draw(row: int, col: int) -> NDArray[np.uint8]:
            return _turned(tiles["tumour" if islands[row // TILE_PX, col // TILE_PX] else "other"], row, col)

        return draw

    return _written(work, f"mosaic-{size_px}-{tumour:g}", size_px, draw_from)


def _turned(tiles: Tiles, row: int, col: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng((row, col))
    tile = tiles[int(rng.integers(len(tiles)))]
    turned = np.rot90(tile, int(rng.integers(4)))
    return np.ascontiguousarray(turned[:, ::-1] if rng.integers(2) else turned)


def _written(work: Path, name: str, size_px: int, draw_from: Any) -> Path:
    from napari_her2.phantom.writer import SlideFile, write_slide

    path = work / f"{name}.ome.tif"
    if path.is_file():
        return path
    work.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    file = SlideFile(
        path=unfinished,
        name=path.name,
        shape_px=(size_px, size_px),
        um_per_px=UM_PER_PX,
        quality=QUALITY,
        white=np.full(3, 243, np.uint8),
    )
    for _ in write_slide(file, draw_from(_tiles(work))):
        pass
    unfinished.replace(path)
    return path


def _tiles(work: Path) -> dict[str, Tiles]:
    """Return tiles (512, 512, 3) of a phantom, with and without tumour; drawn once."""
    kept = work / "tiles.npz"
    if not kept.is_file():
        drawn = _drawn()
        stacks: dict[str, Any] = {name: np.stack(tiles) for name, tiles in drawn.items()}
        np.savez(kept.with_suffix(".part.npz"), **stacks)
        kept.with_suffix(".part.npz").replace(kept)
    with np.load(kept) as stored:
        return {name: list(stored[name]) for name in ("tumour", "other")}


def _drawn() -> dict[str, Tiles]:
    """Draw tiles with many carcinoma cells, and with next to none, from a few phantoms."""
    found: dict[str, Tiles] = {"tumour": [], "other": []}
    for seed in SEEDS:
        scene, count, amid = _counted(seed)
        wanted = {"tumour": count >= SOLID, "other": (count <= FEW) & amid}
        for kind, fits in wanted.items():
            places = np.random.default_rng(seed).permutation(np.argwhere(fits))[:TRIALS]
            boxes = (Box(int(row) * STEP, int(col) * STEP, TILE_PX, TILE_PX) for row, col in places)
            drawn = (scene.he(box) for box in boxes)
            fine = (tile for tile in drawn if (tile.mean(axis=2) < GLASS).mean() > 0.7)
            found[kind] += islice(fine, TILES)
    return found


def _counted(seed: int) -> tuple[Any, NDArray[np.int64], NDArray[np.bool_]]:
    """Return a phantom, the carcinoma cells of tiles by corner (in steps), and if some lie all round."""
    from napari_her2.phantom import PhantomScene, PhantomSpec
    from napari_her2.phantom.layout import all_carcinoma

    scene = PhantomScene(PhantomSpec(seed=seed, size_um=(PHANTOM_UM, PHANTOM_UM)))
    glass = scene.glasses["he"]
    shape = tuple(n // STEP for n in scene.shape("he"))
    count = np.zeros(shape, np.int64)
    for cells in all_carcinoma(glass.patient.section, *glass.box(glass.patient).size_um(UM_PER_PX)):
        at = (scene.cells_px(glass.patient, cells) // STEP).astype(np.intp)
        at = at[((at >= 0) & (at < shape)).all(axis=1)]
        np.add.at(count, tuple(at.T), 1)
    side = TILE_PX // STEP
    total = np.pad(count.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    rows, cols = inside.shape
    amid = np.zeros(inside.shape, bool)
    amid[AROUND:-AROUND, AROUND:-AROUND] = np.logical_and.reduce(
        [
            inside[AROUND + r : rows - AROUND + r, AROUND + c : cols - AROUND + c] > 0
            for r, c in ((-AROUND, 0), (AROUND, 0), (0, -AROUND), (0, AROUND))
        ]
    )
    return scene, inside, amid
