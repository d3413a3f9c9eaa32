"""Patches of phantoms: truth from labels, reproducible drawing, splits that never meet, renewed pools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_her2.learning.patch import HE_CODES, IHC_CODES, UNKNOWN, Patch, truth_of
from napari_her2.learning.phantom_data import NOT_COUNTED, PhantomBlocks, draw_block, scene_spec
from napari_her2.learning.recipe import Phantoms
from napari_her2.learning.sources import FixedSource, MixedSource, PhantomSource, chosen
from napari_her2.phantom import MIX_KEYS, PhantomScene, PhantomSpec

WISHES = Phantoms(size_um=(400, 420), in_situ=0, artefacts=0, control=0, pool=2, uses=2)


def blocks(
    task: Any = "stain", split: str = "train", seed: int = 1, wishes: Phantoms = WISHES
) -> PhantomBlocks:
    um = 0.5 if task == "tumour" else 0.25
    return PhantomBlocks(task, wishes, seed=seed, size_px=224, um_per_px=um, split=split)


def painted(**shares: int) -> Any:
    """Labels of 100 x 100 px with so many rows of each code."""
    rows = np.concatenate([np.full(count, int(code[1:])) for code, count in shares.items()])
    return np.repeat(rows.astype(np.uint8)[:, None], 100, axis=1)


TUMOUR = {
    "stroma": (painted(c0=100), [1.0, 0.0], 0),
    "lymphoid": (painted(c0=60, c3=40), [1.0, 0.0], 1),
    "in situ is no tumour": (painted(c0=20, c2=80), [1.0, 0.0], 2),
    "invasive beside in situ": (painted(c2=50, c1=50), [0.0, 1.0], 4),
    "a little": (painted(c0=92, c1=8), [0.5, 0.5], 3),
    "15 percent": (painted(c0=85, c1=15), [0.0, 1.0], 4),
}


@pytest.mark.parametrize(("labels", "target", "kind"), TUMOUR.values(), ids=TUMOUR)
def test_what_counts_as_tumour(labels: Any, target: list[float], kind: int) -> None:
    found = truth_of("tumour").of_labels(labels)
    assert found is not None
    assert found[0] == pytest.approx(target, abs=1e-6)
    assert found[1] == kind


STAIN = {
    "all 3+": (painted(c0=50, c4=50), 3, 7),
    "mostly 1+": (painted(c1=30, c2=70), 1, 3),
    "hardly any majority": (painted(c2=48, c3=52), 2, 4),
}


@pytest.mark.parametrize(("labels", "best", "kind"), STAIN.values(), ids=STAIN)
def test_the_class_of_most_of_the_tumour_cell_area(labels: Any, best: int, kind: int) -> None:
    found = truth_of("stain").of_labels(labels)
    assert found is not None
    assert found[0].argmax() == best
    assert found[0].sum() == pytest.approx(1, abs=1e-5)
    assert found[1] == kind


TISSUE = {
    "glass and stroma": (painted(c0=70, c4=30), [0.7, 0, 0, 0, 0.3], 4),
    "a duct among nests": (painted(c1=50, c2=20, c4=30), [0, 0.5, 0.2, 0, 0.3], 2),
    "lymphoid tissue": (painted(c3=15, c1=60, c4=25), [0, 0.6, 0, 0.15, 0.25], 3),
}


@pytest.mark.parametrize(("labels", "shares", "kind"), TISSUE.values(), ids=TISSUE)
def test_what_the_segmenter_of_h_and_e_learns(labels: Any, shares: list[float], kind: int) -> None:
    found = truth_of("tissue").of_labels(labels)
    assert found is not None
    assert found[0] == pytest.approx(shares, abs=1e-6)
    assert found[1] == kind


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        ("tissue", painted(c255=20, c4=80)),
        ("stain", painted(c0=95, c4=5)),
        ("stain", painted(c255=60, c4=40)),
        ("tumour", painted(c255=60, c1=40)),
        ("segment", painted(c255=20, c4=80)),
    ],
)
def test_patches_that_say_nothing_are_left_out(task: Any, labels: Any) -> None:
    assert truth_of(task).of_labels(labels) is None


@given(st.integers(0, 2**20), st.integers(0, 10**6))
def test_scenes_are_valid_reproducible_and_of_their_split(seed: int, index: int) -> None:
    specs = {split: scene_spec(seed, split, index, Phantoms()) for split in ("train", "validation", "test")}
    assert specs["train"] == scene_spec(seed, "train", index, Phantoms())
    assert specs["train"] != scene_spec(seed, "train", index + 1, Phantoms())
    for spec in specs.values():
        assert sum(spec.percent.values()) == pytest.approx(100)
        assert set(spec.percent) == set(MIX_KEYS)
    ranges = [spec.seed // 2**58 for spec in specs.values()]
    assert len(set(ranges)) == 3
    assert [spec.light_seed // 2**58 for spec in specs.values()] == ranges


def test_a_block_is_the_slide_with_its_labels() -> None:
    scene = PhantomScene(PhantomSpec(seed=5, score="2+", size_um=(420, 420), in_situ=0.5))
    block = draw_block(scene, "ihc", (512, 512), 512)
    tile = scene.tile("ihc", 512, 512)
    assert tile.pixels is not None
    assert np.abs(block.pixels.astype(int) - tile.pixels).mean() < 4  # JPEG alone
    assert tile.owner is not None
    assert ((block.labels > 0) == (tile.owner > 0)).all()
    codes = set(np.unique(block.labels % NOT_COUNTED))
    assert codes <= set(IHC_CODES.values())
    assert len(codes) > 2
    he = draw_block(scene, "he", (512, 512), 512)
    assert {HE_CODES["invasive"], HE_CODES["stroma"]} <= set(np.unique(he.labels))
    glass = draw_block(scene, "he", (0, 0), 512)
    white = glass.pixels.min(axis=2) > 225
    assert (glass.labels[:64, :64] == HE_CODES["other"]).all()
    assert (glass.labels == HE_CODES["stroma"])[~white].sum() > 0


def test_what_does_not_count_can_be_hidden() -> None:
    wishes = WISHES.model_copy(update={"in_situ": 1.0})
    drawn = [patch for k in range(3) for patch in blocks(wishes=wishes).patches(k)]
    assert all(patch.labels is not None and patch.labels.max() < len(IHC_CODES) for patch in drawn)
    hiding = PhantomBlocks(
        "segment", wishes, seed=1, size_px=224, um_per_px=0.25, split="train", counted_only=True
    )
    values = {
        int(v)
        for k in range(3)
        for p in hiding.patches(k)
        if p.labels is not None
        for v in np.unique(p.labels)
    }
    assert values <= {*IHC_CODES.values(), UNKNOWN}


def test_a_block_is_the_same_whatever_was_drawn_before() -> None:
    first, second = blocks(), blocks()
    second.patches(7)
    for one, other in zip(first.patches(3), second.patches(3), strict=True):
        assert (one.pixels == other.pixels).all()
        assert (one.target == other.target).all()
        assert one.case == other.case
    assert first.patches(3)[0].case != first.patches(0)[0].case


def toy(kind: int, case: str = "a") -> Patch:
    return Patch(
        pixels=np.zeros((2, 2, 3), np.uint8), target=np.ones(1, np.float32), labels=None, kind=kind, case=case
    )


class Stored:
    """A patch in memory behind the face of one in a file."""

    def __init__(self, kind: int) -> None:
        self.kind, self.name, self.case = kind, f"{kind}.png", "a"

    def read(self) -> Patch:
        return toy(self.kind)


@pytest.mark.parametrize(("balance", "low", "high"), [(0.0, 0.85, 0.95), (1.0, 0.45, 0.55)])
def test_balance_makes_rare_kinds_frequent(balance: float, low: float, high: float) -> None:
    patches = [toy(0)] * 900 + [toy(1)] * 100
    rng = np.random.default_rng(0)
    share = np.mean([p.kind == 0 for _ in range(100) for p in chosen(patches, 20, balance, rng)])
    assert low < share < high


def test_sources_mix_by_weight() -> None:
    source = MixedSource([FixedSource([Stored(0)], 0), FixedSource([Stored(1)], 0)], [3, 1])
    kinds = [p.kind for step in range(200) for p in source.batch(step, 8, np.random.default_rng(step))]
    assert len(kinds) == 1600
    assert np.mean(kinds) == pytest.approx(0.25, abs=0.04)


class Counted:
    """Blocks that note which of them were drawn."""

    wishes, per_block = WISHES, 4

    def __init__(self) -> None:
        self.drawn: list[int] = []

    def patches(self, index: int) -> list[Patch]:
        self.drawn.append(index)
        return [toy(index, f"scene-{index}") for _ in range(4)]


def test_the_pool_is_bounded_renewed_and_each_block_drawn_once() -> None:
    counted = Counted()
    source = PhantomSource(counted, 4, 0.0)  # type: ignore[arg-type]
    seen = [{p.kind for p in source.batch(step, 4, np.random.default_rng(step))} for step in range(20)]
    assert len(counted.drawn) == len(set(counted.drawn)) == 11  # one new block every second step
    assert max(seen[0]) <= 1
    assert min(seen[-1]) >= 9


def test_the_pool_of_a_step_does_not_depend_on_the_steps_before() -> None:
    late, steady = PhantomSource(Counted(), 4, 0.0), PhantomSource(Counted(), 4, 0.0)  # type: ignore[arg-type]
    for step in range(9):
        steady.batch(step, 4, np.random.default_rng(step))
    kinds = [[p.kind for p in source.batch(9, 4, np.random.default_rng(9))] for source in (late, steady)]
    assert kinds[0] == kinds[1]
