"""The loop: what it tells, that nothing but the pixels decides, and how it fails."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.inference.known import CPU, Darkness, darkness

from napari_her2.errors import InferenceError, ModelError
from napari_her2.events import Progress, StageDone
from napari_her2.geometry import Box
from napari_her2.inference import BatchDone, PlanWishes, patch_raster, resolve, run
from napari_her2.models import read_spec
from napari_her2.models.loading import load_from
from napari_her2.slides import Slide

if TYPE_CHECKING:
    from pathlib import Path


def planned(slide: Slide, path: Path, **wishes: Any) -> Any:
    return resolve(PlanWishes(model=str(path), **wishes), slide, read_spec(path), CPU)


def gathered(events: Any) -> tuple[np.ndarray, np.ndarray]:
    """Cells and probabilities in the order of the cells."""
    done = [event for event in events if isinstance(event, BatchDone)]
    cells = np.concatenate([event.cells for event in done])
    order = np.lexsort(cells.T[::-1])
    return cells[order], np.concatenate([event.probabilities for event in done])[order]


def test_a_batch_at_a_time(slide: Slide) -> None:
    plan = resolve(PlanWishes(batch_size=50), slide, darkness(), CPU)
    model = Darkness(plan.spec)
    events = list(run(plan, slide=slide, model=model))
    assert len(plan) == 140
    assert model.sizes == [47, 47, 47], "of one size, the last filled up"
    *batches, last = events
    assert isinstance(last, StageDone)
    assert [b.progress for b in batches if isinstance(b, BatchDone)] == [
        Progress("predict", done, 140, "patches") for done in (47, 94, 140)
    ]
    np.testing.assert_array_equal(gathered(events)[0], plan.grid.cells)


def test_each_patch_is_read_where_it_lies(slide: Slide) -> None:
    plan = resolve(PlanWishes(), slide, darkness(), CPU)
    got = patch_raster(plan, run(plan, slide=slide, model=Darkness(plan.spec)))
    white = np.rint(slide.white)
    for row, col in plan.cells:
        box = plan.grid.box(row, col)
        inside = box.intersect(Box.of_shape(slide.shape))
        assert inside is not None
        pixels = np.broadcast_to(white, (box.height, box.width, 3)).copy()
        pixels[: inside.height, : inside.width] = slide.read_level(inside, 0)
        assert got[row, col, 1] == pytest.approx(1 - pixels.mean() / 255, abs=1e-5)


def test_what_did_not_run_stays_empty(slide: Slide) -> None:
    plan = resolve(PlanWishes(region=Box(0, 0, 40, 40)), slide, darkness(), CPU)
    got = patch_raster(plan, run(plan, slide=slide, model=Darkness(plan.spec)))
    assert np.isnan(got[2:]).all()
    assert np.isfinite(got[:2, :2]).all()


def test_no_patches_are_no_error(slide: Slide) -> None:
    plan = resolve(PlanWishes(), slide, darkness(), CPU)
    events = list(run(replace(plan, cells=plan.cells[:0]), slide=slide, model=Darkness(plan.spec)))
    assert [type(event) for event in events] == [StageDone]


@pytest.mark.parametrize("task", ["classify", "ordinal", "segment"])
def test_results_depend_on_neither_batch_nor_order_nor_threads(
    slide: Slide, random_models: dict[str, Path], task: str
) -> None:
    path = random_models[task]
    region = Box(0, 0, 150, 150)
    plan = planned(slide, path, region=region, batch_size=4)
    model = load_from(plan.spec, path.parent)
    cells, reference = gathered(run(plan, slide=slide, model=model))
    assert reference.std(axis=0).max() > 0.002
    shuffled = np.random.default_rng(0).permutation(plan.cells)
    away = {}
    for name, other in {
        "one by one": replace(plan, batch_size=1),
        "all at once": replace(plan, batch_size=100),
        "uneven": replace(plan, batch_size=7),
        "shuffled": replace(plan, cells=shuffled),
        "two threads": replace(plan, threads=2),
        "backwards, three threads": replace(plan, cells=plan.cells[::-1], threads=3, batch_size=5),
    }.items():
        same, got = gathered(run(other, slide=slide, model=model))
        np.testing.assert_array_equal(same, cells)
        away[name] = float(np.abs(got - reference).max())
    assert max(away.values()) <= 1e-6, away


def test_a_plan_alone_is_enough(slide: Slide, random_models: dict[str, Path]) -> None:
    """It opens the slide, finds the model, and gives what a caller with both gets."""
    plan = planned(slide, random_models["classify"])
    alone = patch_raster(plan, run(plan))
    model = load_from(plan.spec, random_models["classify"].parent)
    np.testing.assert_array_equal(alone, patch_raster(plan, run(plan, slide=slide, model=model)))
    assert not slide.closed


def test_stopping_closes_what_was_opened(
    slide: Slide, random_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    close = Slide.close
    monkeypatch.setattr(Slide, "close", lambda self: (closed.append(self.name), close(self)))
    plan = planned(slide, random_models["classify"], batch_size=2)
    events: Any = run(plan)
    first = next(events)
    assert isinstance(first, BatchDone)
    assert first.done == 2
    events.close()
    assert closed == ["small.ome.tif"]


def test_workers_compute_alone_and_the_threads_of_the_process_are_put_back(slide: Slide) -> None:
    import torch

    before = torch.get_num_threads()
    seen = []

    class Looks(Darkness):
        def predict(self, batch: np.ndarray) -> np.ndarray:
            seen.append(torch.get_num_threads())
            return super().predict(batch)

    plan = resolve(PlanWishes(batch_size=99, threads=2), slide, darkness(), CPU)
    for _ in run(plan, slide=slide, model=Looks(plan.spec)):
        assert torch.get_num_threads() == before
    assert seen == [1] * 5
    found = []
    thread = Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert [torch.get_num_threads(), *found] == [before] * 2


class Fails(Darkness):
    def __init__(self, how: str) -> None:
        super().__init__(darkness())
        self.how = how

    def predict(self, batch: np.ndarray) -> np.ndarray:
        out = super().predict(batch)
        if self.how == "raises":
            raise RuntimeError("CUDA out of memory.\nTried to allocate 3 GiB")
        if self.how == "nan":
            out[0, 0] = np.nan
        return out[:, :1] if self.how == "shape" else out


@pytest.mark.parametrize(
    ("how", "word"),
    [
        ("raises", r"darkness failed on 1 patches on cpu \(CUDA out of memory\.\): try a smaller batch"),
        ("nan", "not finite"),
        ("shape", r"gave \(140, 1\)"),
    ],
)
def test_failures_are_errors_of_ours(slide: Slide, how: str, word: str) -> None:
    """RuntimeError in a generator looks like a dead Qt object to napari's worker."""
    plan = resolve(PlanWishes(), slide, darkness(), CPU)
    with pytest.raises(InferenceError, match=word) as caught:
        list(run(plan, slide=slide, model=Fails(how)))
    assert not isinstance(caught.value, RuntimeError)
    assert "\n" not in str(caught.value)


def test_another_model_than_planned(slide: Slide, random_models: dict[str, Path]) -> None:
    plan = planned(slide, random_models["classify"])
    other = replace(plan, model=str(random_models["ordinal"]))
    with pytest.raises(ModelError, match="not the model that was planned"):
        list(run(other, slide=slide))
    with pytest.raises(ModelError, match="there is no model 'nothing'"):
        list(run(replace(plan, model="nothing"), slide=slide))
