"""Patches of phantoms: blocks of tissue from scenes that are never drawn again."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.learning.patch import CELL_CODES, HE_CODES, UNKNOWN, Patch, truth_of
from napari_her2.learning.recipe import STAINS
from napari_her2.phantom import MIX_KEYS, TYPICAL_MIXES, UM_PER_PX, Faults, PhantomSpec
from napari_her2.phantom.faults import stream
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.learning.recipe import Phantoms, TaskName
    from napari_her2.phantom import PhantomScene
    from napari_her2.phantom.spec import Stain

__all__ = ["NOT_COUNTED", "SPLITS", "Block", "PhantomBlocks", "draw_block", "scene_spec"]

TILE: Final = 512
BLOCKS_PER_SCENE: Final = 3
"""Laying out a scene with ducts costs as much as drawing a block of it."""
NOT_COUNTED: Final = 8
"""Added to an IHC label where cells are carcinoma but do not count: in situ, control tissue."""
SPLITS: Final = {"train": 0, "validation": 1, "test": 2, "reference": 3}
"""Seeds of one split are never those of another."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A drawn piece of a slide at 0.25 µm/px with its labels, both of the same size."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def _key(seed: int, split: str, index: int) -> np.random.Generator:
    return np.random.default_rng([seed, SPLITS[split], index])


def scene_spec(seed: int, split: str, index: int, wishes: Phantoms) -> PhantomSpec:
    """Spec of the scene of that number: everything varies, stain and scanner as well."""
    rng = _key(seed, split, index)
    width, height = rng.uniform(*wishes.size_um, 2)
    on = rng.random(6)
    scene_seed = _far(rng, split)
    return PhantomSpec(
        seed=scene_seed, stain_seed=_far(rng, split), mix=_mix(rng), size_um=(width, height),
        rotate_deg=rng.uniform(0, 360), mirror=bool(on[0] < 0.5), shrink=rng.uniform(0, 0.06),
        in_situ=rng.uniform(0.1, 0.7) if on[1] < wishes.in_situ else 0.0,
        pen=bool(on[2] < wishes.artefacts), fold=bool(on[3] < wishes.artefacts),
        blur=bool(on[4] < wishes.artefacts), control=bool(on[5] < wishes.control),
        faults=_faults(wishes, scene_seed),
    )  # fmt: skip


def _faults(wishes: Phantoms, seed: int) -> Faults:
    """Strengths of one scene: as given, or drawn between low and high, each from a stream of its own."""
    strengths = {
        name: float(stream(seed, f"strength of {name}").uniform(*span)) if isinstance(span, tuple) else span
        for name, span in wishes.faults.items()
    }
    return Faults(**strengths)


def _far(rng: np.random.Generator, split: str) -> int:
    """Draw a seed in the range of the split; ranges do not overlap."""
    return int(rng.integers(0, 2**58)) + (SPLITS[split] + 1) * 2**58


def _mix(rng: np.random.Generator) -> dict[str, float]:
    """Half of the cases are typical of a score, the others any mix; sums to 100."""
    if rng.random() < 0.5:
        return dict(TYPICAL_MIXES[SCORES[rng.integers(4)]])
    share = rng.dirichlet([0.5, 0.5, 0.12, 0.5, 0.5])
    return dict(zip(MIX_KEYS, (share * (100.0 / share.sum())).tolist(), strict=True))


def draw_block(scene: PhantomScene, stain: Stain, corner: tuple[int, int], side: int) -> Block:
    """Draw a square block whose corner and side are multiples of 512 px, as stored (JPEG), with labels."""
    pixels = np.empty((side, side, 3), np.uint8)
    pixels[:] = scene.white(stain)
    labels = np.zeros((side, side), np.uint8)
    for row in range(0, side, TILE):
        for col in range(0, side, TILE):
            tile = scene.tile(stain, corner[0] + row, corner[1] + col)
            if tile.pixels is None:
                continue
            here = slice(row, row + TILE), slice(col, col + TILE)
            pixels[here] = tile.pixels
            labels[here] = _labels(scene, stain, tile, (corner[0] + row, corner[1] + col))
    return Block(_as_stored(pixels, scene.lights[stain].quality), labels)


def _as_stored(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    import cv2

    how = [cv2.IMWRITE_JPEG_QUALITY, quality]
    how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), how)
    return np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def _labels(scene: PhantomScene, stain: Stain, tile: Any, corner: tuple[int, int]) -> NDArray[np.uint8]:
    """Label every pixel of a tile by the carcinoma cell that claims it, and by what else is there."""
    piece = scene.glasses[stain].piece_at(corner[1])
    from napari_her2.phantom.layout import KINDS

    invasive = tile.cells.kind == KINDS["invasive"]
    if stain == "he":
        code = np.where(invasive, HE_CODES["invasive"], HE_CODES["in_situ"])
        labels = np.concatenate([[0], code]).astype(np.uint8)[tile.owner]
        tissue, lymphoid = _around_cells(piece, corner)
        labels = np.where((labels == 0) & tissue, np.uint8(HE_CODES["stroma"]), labels)
        return np.where((labels == HE_CODES["stroma"]) & lymphoid, np.uint8(HE_CODES["lymphoid"]), labels)
    code = CELL_CODES[scene.classify(piece, tile.cells)]
    counted = invasive & (piece.role == "patient")
    return np.concatenate([[0], np.where(counted, code, code + NOT_COUNTED)]).astype(np.uint8)[tile.owner]


def _around_cells(
    piece: Any, corner: tuple[int, int], step: int = 16
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where there is tissue in a tile, and where lymphoid aggregates lie, to 4 µm."""
    from napari_her2.phantom import architecture as arch

    places = [(np.arange(0, TILE, step) + step / 2 + edge) for edge in (corner[0], corner[1] - piece.col_px)]
    points = np.stack(np.meshgrid(*places, indexing="ij"), -1).reshape(-1, 2) * UM_PER_PX
    fields = piece.section.fields(np.ascontiguousarray(points))
    there = (fields[:, arch.LYMPH] > 0) & (fields[:, arch.NEST] < -6.5) & (fields[:, arch.DUCT] < 3)
    there &= (fields[:, arch.TISSUE] > 2) & (fields[:, arch.FAT] < 0) & (fields[:, arch.VESSEL] < -4)
    tissue = fields[:, arch.TISSUE] > 0
    return _enlarged(tissue, step), _enlarged(there, step)


def _enlarged(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Return a coarse mask of a tile, pixel by pixel."""
    side = TILE // step
    return np.kron(mask.reshape(side, side), np.ones((step, step), np.bool_)).astype(np.bool_)


def _points_of_interest(scene: PhantomScene, stain: Stain, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a random place (row, col in px) of a random kind of tissue that the slide has."""
    from napari_her2.phantom import architecture as arch

    glass = scene.glasses[stain]
    piece = glass.pieces[0] if rng.random() < 0.7 else glass.pieces[rng.integers(len(glass.pieces))]
    box = glass.box(piece)
    places = rng.random((400, 2)) * (box.height, box.width)
    fields = piece.section.fields(np.ascontiguousarray(places * UM_PER_PX))
    inside = fields[:, arch.TISSUE] > 0
    nest, duct = fields[:, arch.NEST] > 4, fields[:, arch.DUCT] > -25
    kinds = [inside & nest, inside & duct]
    if stain == "he":
        lymph = inside & ~nest & (fields[:, arch.LYMPH] > 8) & (fields[:, arch.NEST] < -10)
        kinds += [lymph, inside & (fields[:, arch.NEST] < -35) & ~duct, ~inside & (rng.random(400) < 0.2)]
    present = [np.flatnonzero(mask) for mask in kinds if mask.any()]
    if not present:
        return np.array([glass.shape_px[0] / 2, piece.col_px + box.width / 2])
    chosen = rng.choice(present[rng.integers(len(present))])
    return np.asarray(places[chosen] + (0, piece.col_px))


@dataclass(slots=True, eq=False)
class PhantomBlocks:
    """Patches by the number of their block; the same number gives the same patches, always.

    Attributes
    ----------
    task : {"tumour", "stain", "segment", "tissue"}
    wishes : Phantoms
    seed : int
    size_px : int
        Side of a patch at the model's µm/px.
    um_per_px : float
        Of the model; drawn at 0.25 and averaged.
    split : {"train", "validation", "test", "reference"}
    counted_only : bool
        Whether cells that do not count (in situ, control) become unknown on IHC.
    """

    task: TaskName
    wishes: Phantoms
    _: KW_ONLY
    seed: int
    size_px: int
    um_per_px: float
    split: str
    counted_only: bool = False
    _last: tuple[int, PhantomScene] | None = field(default=None, init=False)

    @property
    def stain(self) -> Stain:
        """Which slide is drawn."""
        return STAINS[self.task]

    @property
    def shrink(self) -> int:
        """Drawn pixels per pixel of the model, along a side."""
        return max(1, round(self.um_per_px / UM_PER_PX))

    @property
    def side(self) -> int:
        """Side of a block in drawn pixels."""
        return -(-2 * self.size_px * self.shrink // (TILE + 64)) * TILE

    @property
    def per_block(self) -> int:
        """Patches cut from a block, about as many as lie in it side by side."""
        return max(1, int((self.side / self.shrink / self.size_px) ** 2))

    def patches(self, index: int) -> list[Patch]:
        """Draw the patches of a block; fewer where there is nothing to learn."""
        rng = np.random.default_rng([self.seed, SPLITS[self.split], index, 1])
        scene = self._scene(index // BLOCKS_PER_SCENE)
        middle = _points_of_interest(scene, self.stain, rng)
        corner = np.floor((middle - self.side / 2 + rng.uniform(-0.2, 0.2, 2) * self.side) / TILE + 0.5)
        block = self._at_scale(draw_block(scene, self.stain, _inside(corner, scene, self), self.side))
        cut = [self._cut(block, rng, index) for _ in range(4 * self.per_block)]
        return _varied([patch for patch in cut if patch is not None], self.per_block)

    def _scene(self, number: int) -> PhantomScene:
        """Lay out a scene; the last one is kept, since its blocks follow each other."""
        from napari_her2.phantom import PhantomScene

        if self._last is None or self._last[0] != number:
            spec = scene_spec(self.seed, self.split, number, self.wishes)
            self._last = number, PhantomScene(spec)
        return self._last[1]

    def _at_scale(self, block: Block) -> Block:
        if self.shrink == 1:
            return Block(block.pixels, self._taught(block.labels))
        import cv2

        side = self.side // self.shrink
        pixels = cv2.resize(block.pixels, (side, side), interpolation=cv2.INTER_AREA)
        half = self.shrink // 2
        return Block(pixels, self._taught(block.labels[half :: self.shrink, half :: self.shrink]))

    def _taught(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.stain == "he":
            return labels
        if self.counted_only:
            return np.where(labels < NOT_COUNTED, labels, np.uint8(UNKNOWN))
        return labels % NOT_COUNTED

    def _cut(self, block: Block, rng: np.random.Generator, index: int) -> Patch | None:
        room = len(block.pixels) - self.size_px
        row, col = rng.integers(0, room + 1, 2)
        here = slice(row, row + self.size_px), slice(col, col + self.size_px)
        labels = np.ascontiguousarray(block.labels[here])
        if rng.random() < 0.95 and _empty(block.pixels[here]):
            return None
        truth = truth_of(self.task).of_labels(labels)
        if truth is None:
            return None
        return Patch(
            pixels=np.ascontiguousarray(block.pixels[here]), target=truth[0], labels=labels, kind=truth[1],
            case=f"phantom-{self.split}-{index // BLOCKS_PER_SCENE}",
        )  # fmt: skip


def _empty(pixels: NDArray[np.uint8]) -> bool:
    """Whether there is nothing but glass; tissue is found before any model runs."""
    return float(pixels[::8, ::8].std(axis=(0, 1)).max()) < 6.0


def _varied(patches: list[Patch], most: int) -> list[Patch]:
    """Choose patches, one of each kind in turn: rare kinds would be lost otherwise."""
    groups = [[p for p in patches if p.kind == kind] for kind in sorted({p.kind for p in patches})]
    turns = [patch for turn in zip_longest(*groups) for patch in turn if patch is not None]
    return turns[:most]


def _inside(corner: NDArray[np.float64], scene: PhantomScene, blocks: PhantomBlocks) -> tuple[int, int]:
    """Corner in px, moved so that the block lies on the glass as far as it fits."""
    shape = scene.shape(blocks.stain)
    most = [max(0, -(-side // TILE) - blocks.side // TILE) for side in shape]
    row, col = (int(np.clip(value, 0, limit)) for value, limit in zip(corner, most, strict=True))
    return row * TILE, col * TILE
