"""Wishes and reality into a plan: a table of decisions, and what is refused before anything runs."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.inference.known import CPU, darkness

from napari_her2.errors import NoResolutionError, SlideError, UsageError
from napari_her2.geometry import Box
from napari_her2.inference import Device, PlanWishes, pick_device, resolve
from napari_her2.slides import open_slide

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.slides import Slide

CARD = Device(name="cuda:0", title="card", bfloat16=True, free_bytes=8 * 2**30)
OLD_CARD = Device(name="cuda:1", title="card", free_bytes=8 * 2**30)
TWO_CARDS = Device(name="cuda:0", title="card", bfloat16=True, free_bytes=8 * 2**30, also=("cuda:1",))
FAST_CPU = Device(name="cpu", title="CPU", bfloat16=True, threads=8)


DECISIONS: list[tuple[str, dict[str, Any], Device, dict[str, Any], dict[str, Any]]] = [
    (
        "nothing asked",
        {},
        CPU,
        {},
        {"precision": "float32", "threads": 1, "batch_size": 784},
    ),
    (
        "a fast CPU",
        {},
        FAST_CPU,
        {},
        {"precision": "bfloat16", "on_trial": True, "threads": 8, "workers": 8, "readers": 8},
    ),
    ("what is asked for is not tried", {"precision": "bfloat16"}, FAST_CPU, {}, {"on_trial": False}),
    ("exact if asked", {"precision": "float32"}, FAST_CPU, {}, {"precision": "float32", "on_trial": False}),
    (
        "a model of others as it is",
        {},
        FAST_CPU,
        {"adapter": {"kind": "torchscript"}},
        {"precision": "float32"},
    ),
    ("two cards", {}, TWO_CARDS, {}, {"devices": ("cuda:0", "cuda:1"), "workers": 4, "slots": 5}),
    ("one worker", {"batch_size": 50}, CPU, {}, {"slots": 1, "call_size": 47}),
    ("two share a batch", {"batch_size": 30, "threads": 2}, CPU, {}, {"slots": 3, "call_size": 10}),
    ("few patches for all", {"threads": 2, "region": Box(0, 0, 32, 128)}, CPU, {}, {"call_size": 2}),
    ("a card", {}, CARD, {}, {"precision": "bfloat16", "device": "cuda:0", "threads": 1}),
    ("an older card", {}, OLD_CARD, {}, {"precision": "float32", "device": "cuda:1"}),
    ("exact on a card", {"precision": "float32"}, CARD, {}, {"precision": "float32"}),
    ("few at a time", {"batch_size": 3, "threads": 2}, FAST_CPU, {}, {"batch_size": 3, "threads": 2}),
    ("large patches", {}, CPU, {"size_px": 512}, {"batch_size": 3}),
    ("giant patches", {}, CPU, {"size_px": 2048}, {"batch_size": 1}),
    ("a model by path", {"model": "a/spec.json"}, CPU, {}, {"model": "a/spec.json"}),
    ("a model by name", {}, CPU, {}, {"model": "darkness"}),
]


@pytest.mark.parametrize(
    ("wishes", "device", "spec", "expected"), [d[1:] for d in DECISIONS], ids=[d[0] for d in DECISIONS]
)
def test_decisions(
    slide: Slide, wishes: dict[str, Any], device: Device, spec: dict[str, Any], expected: dict[str, Any]
) -> None:
    plan = resolve(PlanWishes(**wishes), slide, darkness(**spec), device)
    assert {name: getattr(plan, name) for name in expected} == expected


def test_heavy_models_get_small_batches_on_a_cpu(slide: Slide) -> None:
    """A call should end within a second, so that a run can be stopped."""
    spec = darkness(size_px=224)
    sizes = [
        resolve(PlanWishes(), slide, spec, CPU, weights_bytes=n).batch_size for n in (11e6, 43e6, 172e6, 9e9)
    ]
    assert sizes == [16, 6, 1, 1]
    cards = [resolve(PlanWishes(), slide, spec, CARD, weights_bytes=n).batch_size for n in (11e6, 172e6)]
    assert cards[0] == cards[1] > 16


def test_the_grid_is_that_of_the_contract(slide: Slide) -> None:
    plan = resolve(PlanWishes(), slide, darkness(um_per_px=0.3), CPU)
    assert plan.grid.shape == (8, 11)
    assert (plan.read.level, plan.read.step) == (0, pytest.approx(1.2))
    np.testing.assert_array_equal(plan.cells, plan.grid.cells)
    half = resolve(PlanWishes(), slide, darkness(um_per_px=0.5), CPU)
    assert (half.read.level, half.read.step) == (1, 1.0)


def test_segmentation_overlaps_unless_told_otherwise(slide: Slide) -> None:
    spec = darkness("segment", size_px=64)
    assert resolve(PlanWishes(), slide, spec, CPU).grid.stride_px == 48
    assert resolve(PlanWishes(overlap=0), slide, spec, CPU).grid.stride_px == 64


def test_a_region_and_tissue_choose_the_patches(slide: Slide) -> None:
    region = Box(0, 0, 64, 40)
    plan = resolve(PlanWishes(region=region), slide, darkness(), CPU)
    assert plan.cells.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    counted = np.zeros((300 // 4, 420 // 4), bool)
    counted[:8, :12] = True  # 32 x 48 px: the first patch whole, the second half
    tissue: Any = SimpleNamespace(counted=counted, level0_px=4.0)
    for least, cells in ((None, [[0, 0], [0, 1]]), (0.6, [[0, 0]]), (0.0, [[0, 0], [0, 1]])):
        plan = resolve(PlanWishes(least_tissue=least), slide, darkness(), CPU, tissue=tissue)
        assert plan.cells.tolist() == cells


def test_the_same_wishes_give_the_same_plan_and_the_report_can_keep_it(slide: Slide) -> None:
    one, two = (resolve(PlanWishes(), slide, darkness(), CPU) for _ in range(2))
    assert one.record() == two.record()
    kept = json.loads(json.dumps(one.record(), allow_nan=False))
    assert kept["precision"] == "float32"
    assert kept["patches"] == len(one)
    assert str(slide.path.parent) not in json.dumps(kept)


def test_a_coarse_slide_is_told_before_anything_runs(slide: Slide) -> None:
    with pytest.raises(SlideError, match=r"small\.ome\.tif has 0\.25 um/px, too coarse for a model of 0\.2"):
        resolve(PlanWishes(), slide, darkness(um_per_px=0.2), CPU)
    assert resolve(PlanWishes(), slide, darkness(um_per_px=0.2, coarsest_um_per_px=0.26), CPU).read.level == 0
    with pytest.raises(SlideError, match=r"up to 0\.245 is accepted"):
        resolve(PlanWishes(), slide, darkness(um_per_px=0.24, coarsest_um_per_px=0.245), CPU)


def test_a_slide_without_pixel_size(tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, np.zeros((64, 64, 3), np.uint8), photometric="rgb", tile=(32, 32))
    with (
        open_slide(path) as plain,
        pytest.raises(NoResolutionError, match=r"plain\.tif states no pixel"),
    ):
        resolve(PlanWishes(), plain, darkness(), CPU)


@pytest.mark.parametrize("region", [Box(0, 0, 301, 10), Box(-1, 0, 10, 10), Box(0, 400, 10, 30)])
def test_regions_outside_the_slide(slide: Slide, region: Box) -> None:
    with pytest.raises(SlideError, match="420 x 300 px"):
        resolve(PlanWishes(region=region), slide, darkness(), CPU)


@pytest.mark.parametrize(
    "wrong",
    [{"overlap": 1.0}, {"overlap": -0.1}, {"batch_size": 0}, {"threads": 0}, {"least_tissue": 2.0},
     {"precision": "int8"}],
)  # fmt: skip
def test_wishes_out_of_range(slide: Slide, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=str(next(iter(wrong)))):
        resolve(PlanWishes(**wrong), slide, darkness(), CPU)


@pytest.mark.parametrize("wish", ["gpu", "cuda:x", "", "cpu:0", "cuda:999"])
def test_devices_that_are_not_there(wish: str) -> None:
    with pytest.raises(UsageError, match="choose auto"):
        pick_device(wish)


@pytest.mark.parametrize(
    ("wish", "threads"), [("1", 1), ("1,2", 1), ("0", None), ("many", None), (None, None)]
)
def test_a_process_that_is_told_to_leave_room_does(
    wish: str | None, threads: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads on a core that others use as well wait for each other most of the time."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cores = pick_device("cpu").threads
    if wish is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", wish)
    assert pick_device("cpu").threads == (threads or cores)


@pytest.mark.parametrize(("threads", "spared", "left"), [(8, 1, 7), (2, 1, 1), (1, 1, 1), (4, 0, 4)])
def test_cores_are_left_to_others_but_for_one(threads: int, spared: int, left: int) -> None:
    assert Device(name="cpu", title="", threads=threads).sparing(spared).threads == left
    card = Device(name="cuda:0", title="", free_bytes=2**34)
    assert card.sparing(spared) == card


def test_a_device_is_always_found() -> None:
    assert pick_device("cpu").name == "cpu"
    assert pick_device("cpu").threads >= 1
    assert pick_device("auto").kind in ("cpu", "cuda", "mps")
