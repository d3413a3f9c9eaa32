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

__all__ = ["confined", "large_slide"]

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
WIDER: Final = 2.5
"""A phantom's side is so many times that of the piece that is drawn of it: no glass around it."""
BEDS_SEED: Final = 5
BED_WEIGHT: Final = 2.5
MOST_TAU: Final = 8.0
HALVINGS: Final = 14
PATCH_PX: Final = 448
PATCH_CELLS: Final = 8
"""Carcinoma cells from which on a patch of 112 µm counts as tumour: about 7 % of its area."""


def large_slide(work: Path, size_px: int) -> Path:
    """Return an H&E slide of size_px x size_px at 0.25 µm/px, pyramidal, tissue all over."""

    def drawing() -> Callable[[int, int], NDArray[np.uint8]]:
        tiles = _tiles(work)
        every = tiles["tumour"] + tiles["other"]
        return lambda row, col: _turned(every, row, col)

    return _written(work, f"tissue-{size_px}", size_px, drawing)


def confined(work: Path, size_px: int, tumour: float = 0.11) -> Path:
    """Return phantom H&E, tissue all over, in which tumour keeps to beds of a millimetre or so.

    That share of its patches holds carcinoma, by the phantom's own cells and not by a model. Phantoms
    themselves are tumour nearly everywhere.
    """

    def drawing() -> Callable[[int, int], NDArray[np.uint8]]:
        scene, (top, left) = _with_beds(size_px, tumour)
        return lambda row, col: scene.he(Box(top + row, left + col, TILE_PX, TILE_PX))

    return _written(work, f"confined-{size_px}-{tumour:g}", size_px, drawing)


def _with_beds(size_px: int, tumour: float) -> tuple[Any, tuple[int, int]]:
    """Return a phantom whose wish to be tumour is bent to beds, and the corner of a piece in its middle."""
    from napari_her2.phantom import PhantomScene, PhantomSpec
    from napari_her2.phantom import architecture as arch

    side_um = WIDER * size_px * UM_PER_PX
    scene = PhantomScene(PhantomSpec(seed=BEDS_SEED, size_um=(side_um, side_um)))
    top, left = ((n - size_px) // 2 // TILE_PX * TILE_PX for n in scene.shape("he"))
    numbers = scene.glasses["he"].patient.section.plan.numbers
    numbers[arch.BED_WEIGHT] = BED_WEIGHT
    low, high = -MOST_TAU, MOST_TAU
    for _ in range(HALVINGS):
        numbers[arch.TAU] = (low + high) / 2
        count = _carcinoma(scene, PATCH_PX, Box(top, left, size_px, size_px))
        more = (count >= PATCH_CELLS).mean() > tumour
        low, high = (numbers[arch.TAU], high) if more else (low, numbers[arch.TAU])
    return scene, (top, left)


def _turned(tiles: Tiles, row: int, col: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng((row, col))
    tile = tiles[int(rng.integers(len(tiles)))]
    turned = np.rot90(tile, int(rng.integers(4)))
    return np.ascontiguousarray(turned[:, ::-1] if rng.integers(2) else turned)


def _written(
    work: Path, name: str, size_px: int, drawing: Callable[[], Callable[[int, int], NDArray[np.uint8]]]
) -> Path:
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
    for _ in write_slide(file, drawing()):
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

    scene = PhantomScene(PhantomSpec(seed=seed, size_um=(PHANTOM_UM, PHANTOM_UM)))
    count = _carcinoma(scene, STEP)
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


def _carcinoma(scene: Any, step_px: int, region: Box | None = None) -> NDArray[np.int64]:
    """Carcinoma cells of a phantom's H&E, or of a region of it, in squares of so many pixels."""
    from napari_her2.phantom.layout import all_carcinoma, carcinoma_in

    glass = scene.glasses["he"]
    box = region or Box.of_shape(scene.shape("he"))
    shape = box.height // step_px, box.width // step_px
    count = np.zeros(shape, np.int64)
    section = glass.patient.section
    if region is None:
        parts = all_carcinoma(section, *glass.box(glass.patient).size_um(UM_PER_PX))
    else:
        top, left, bottom, right = region.row, region.col, region.row_stop, region.col_stop
        box_um = (top * UM_PER_PX, left * UM_PER_PX, bottom * UM_PER_PX, right * UM_PER_PX)
        parts = iter((carcinoma_in(section, box_um),))
    for cells in parts:
        at = ((scene.cells_px(glass.patient, cells) - (box.row, box.col)) // step_px).astype(np.intp)
        at = at[((at >= 0) & (at < shape)).all(axis=1)]
        np.add.at(count, tuple(at.T), 1)
    return count
