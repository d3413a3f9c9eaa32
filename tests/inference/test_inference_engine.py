"""The assembly line: bounds, order and its change, cancelling, memory that runs out, precision on trial."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.inference.known import CPU, Darkness, darkness

from napari_her2.errors import InferenceError, ModelError, SlideError
from napari_her2.geometry import Box
from napari_her2.inference import (
    Agenda,
    BatchDone,
    Plan,
    PlanWishes,
    camera_first,
    coarse_to_fine,
    in_turn,
    load_planned,
    most_first,
    patch_raster,
    resolve,
    run,
)
from napari_her2.inference import line as line_module
from napari_her2.models import read_spec
from napari_her2.models.loading import load_from

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.slides import Slide


def planned(slide: Slide, **wishes: Any) -> Plan:
    return resolve(PlanWishes(**{"batch_size": 30, "threads": 2} | wishes), slide, darkness(), CPU)


def batches(events: Any) -> list[BatchDone]:
    return [event for event in events if isinstance(event, BatchDone)]


def our_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("her2-")]


class Slow(Darkness):
    """Takes its time; how many patches were begun is counted."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(darkness())
        self.seconds, self.begun, self.lock = seconds, 0, threading.Lock()

    def predict(self, batch: np.ndarray) -> np.ndarray:
        with self.lock:
            self.begun += len(batch)
        time.sleep(self.seconds * np.random.default_rng(self.begun).uniform(0.2, 1))
        return super().predict(batch)


@pytest.mark.parametrize("ordered", [True, False])
def test_every_patch_once_whatever_the_threads(slide: Slide, ordered: bool) -> None:
    plan = planned(slide, threads=4)
    events = batches(run(plan, slide=slide, model=Slow(0.01), ordered=ordered))
    cells = np.concatenate([event.cells for event in events])
    if ordered:
        np.testing.assert_array_equal(cells, plan.cells)
    else:
        np.testing.assert_array_equal(cells[np.lexsort(cells.T[::-1])], plan.cells)
    assert [event.done for event in events] == np.cumsum([len(event.cells) for event in events]).tolist()
    assert {event.total for event in events} == {140}
    one = patch_raster(plan, run(planned(slide, threads=1), slide=slide, model=Darkness(plan.spec)))
    np.testing.assert_array_equal(patch_raster(plan, events), one)


def test_never_more_than_a_batch_is_predicted_and_not_settled(slide: Slide) -> None:
    """That is what a kill can cost; the caller settles an event by asking for the next."""
    plan, model, settled = planned(slide, threads=3), Slow(), 0
    for event in batches_one_by_one(run(plan, slide=slide, model=model)):
        time.sleep(0.02)
        assert model.begun - settled <= plan.batch_size
        settled += len(event.cells)
    assert settled == 140


def batches_one_by_one(events: Any) -> Any:
    return (event for event in events if isinstance(event, BatchDone))


def test_reading_ahead_is_bounded(slide: Slide, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    whole = line_module.read_patch
    monkeypatch.setattr(line_module, "read_patch", lambda *a: (read.append(1), whole(*a))[1])
    plan = planned(slide, batch_size=6)
    events: Any = run(plan, slide=slide, model=Darkness(plan.spec))
    next(events)
    time.sleep(0.3)
    assert plan.batch_size <= len(read) <= plan.batch_size + 2 * plan.workers * plan.call_size < 140
    events.close()


def test_a_view_that_moves_changes_what_comes_next(slide: Slide) -> None:
    plan = planned(slide, batch_size=3)
    agenda = Agenda(plan.cells)
    view = Box(200, 300, 64, 64)
    events: Any = run(plan, slide=slide, model=Darkness(plan.spec), agenda=agenda)
    seen = [next(events).cells]
    agenda.reorder(camera_first(plan.grid, view))
    seen += [event.cells for event in batches(events)]
    cells = np.concatenate(seen)
    started = plan.batch_size + 2 * plan.workers * plan.call_size
    wanted = {tuple(cell) for cell in plan.grid.cells_in(view).tolist()}
    order = [tuple(cell) for cell in cells.tolist()]
    first = next(k for k, cell in enumerate(order) if cell in wanted)
    assert first <= started, "what is at work, or read, stays so"
    assert set(order[first : first + len(wanted)]) == wanted
    assert len(set(order)) == len(order) == 140


def test_ranks() -> None:
    cells = np.indices((20, 20)).reshape(2, -1).T
    first = cells[np.argsort(coarse_to_fine(cells), kind="stable")]
    assert (first[:4] % 16 == 0).all()
    assert (first[:9] % 8 == 0).all()
    values = np.zeros((20, 20), np.float32)
    values[3, 5] = 1
    agenda = Agenda(cells)
    agenda.reorder(in_turn(most_first(values), coarse_to_fine))
    assert agenda.take(2).tolist() == [[3, 5], [0, 0]]
    agenda.add(np.array([[3, 5]]))
    assert agenda.take(1).tolist() == [[3, 5]], "what comes later is ranked as well"
    assert (agenda.left, agenda.total) == (398, 401)


def test_cells_may_be_added_while_it_runs(slide: Slide) -> None:
    plan = planned(slide)
    agenda = Agenda(plan.cells[:20])
    got = []
    for event in batches_one_by_one(run(plan, slide=slide, model=Darkness(plan.spec), agenda=agenda)):
        if not got:
            agenda.add(plan.cells[50:60])
        got.append(event.cells)
    np.testing.assert_array_equal(np.concatenate(got), np.concatenate([plan.cells[:20], plan.cells[50:60]]))


@pytest.mark.parametrize("how", ["closed", "dropped", "failed"])
def test_nobody_stays_behind(slide: Slide, how: str) -> None:
    events: Any = run(planned(slide), slide=slide, model=Slow(0.3))
    next(events)
    assert our_threads()
    began = time.monotonic()
    if how == "closed":
        events.close()
    elif how == "failed":
        with pytest.raises(KeyError):
            events.throw(KeyError("the disk"))
    del events
    assert time.monotonic() - began < 1
    assert not our_threads()


def test_what_was_done_before_a_failure_is_delivered(slide: Slide, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, whichever thread met the failure first."""
    whole = line_module.read_patch

    def read(*given: Any) -> Any:
        if given[3:] == (5, 3):
            raise SlideError("small.ome.tif is gone: put it back")
        return whole(*given)

    monkeypatch.setattr(line_module, "read_patch", read)
    plan, got = planned(slide), []
    events = run(plan, slide=slide, model=Slow(0.01))
    with pytest.raises(SlideError, match="is gone"):
        got.extend(iter(lambda: next(events), None))
    done = np.concatenate([event.cells for event in batches(got)])
    bad = np.flatnonzero((plan.cells == (5, 3)).all(axis=1))[0]
    np.testing.assert_array_equal(done, plan.cells[: bad - bad % plan.call_size])
    assert not our_threads()


class Small(Darkness):
    """Has room for three patches."""

    def __init__(self, error: type[Exception] = RuntimeError) -> None:
        super().__init__(darkness(name=f"small-{error.__name__.lower()}"))
        self.spec = self.spec.model_copy(update={"sha256": f"{id(self):064x}"})
        self.error = error

    def predict(self, batch: np.ndarray) -> np.ndarray:
        out = super().predict(batch)
        if len(batch) > 3:
            raise self.error("CUDA out of memory. Tried to allocate 3 GiB")
        return out


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
def test_memory_that_runs_out_halves_the_batch_and_is_remembered(
    slide: Slide, error: type[Exception]
) -> None:
    model = Small(error)
    plan = replace(planned(slide, threads=1), spec=model.spec)
    got = patch_raster(plan, run(plan, slide=slide, model=model))
    np.testing.assert_array_equal(got, patch_raster(plan, run(plan, slide=slide, model=Darkness(plan.spec))))
    assert model.sizes[0] > 3
    assert [n for n in model.sizes if n > 3] == model.sizes[: sum(n > 3 for n in model.sizes)]
    model.sizes.clear()
    list(run(plan, slide=slide, model=model))
    assert max(model.sizes) <= 3


def test_devices_share_the_work(slide: Slide) -> None:
    plan = replace(planned(slide), also=("cpu",))
    models = Slow(0.02), Slow(0.02)
    got = patch_raster(plan, run(plan, slide=slide, model=models))
    assert all(model.begun for model in models)
    np.testing.assert_array_equal(got, patch_raster(plan, run(plan, slide=slide, model=Darkness(plan.spec))))


# ------------------------------------------------------------------ precision


class Entry:
    """A registry's entry whose low precision is off by so much."""

    def __init__(self, away: float, fails: bool = False) -> None:
        self.spec, self.away, self.fails = darkness(), away, fails
        self.loads: list[str] = []

    def load(self, *, device: str, precision: str) -> Any:
        self.loads.append(precision)
        away = 0.0 if precision == "float32" else self.away

        def predict(batch: np.ndarray) -> np.ndarray:
            if self.fails and precision != "float32":
                raise RuntimeError("not implemented for 'BFloat16'")
            return Darkness(self.spec).predict(batch) + np.float32(away)

        return SimpleNamespace(spec=self.spec, predict=predict)


@pytest.mark.parametrize(
    ("away", "fails", "precision", "change"),
    [
        (0.004, False, "bfloat16", 0.004),
        (0.03, False, "float32", 0.03),
        (np.nan, False, "float32", None),
        (0.0, True, "float32", None),
    ],
)
def test_a_precision_on_trial_must_change_nothing_that_matters(
    slide: Slide, away: float, fails: bool, precision: str, change: float | None
) -> None:
    plan = replace(planned(slide), precision="bfloat16", on_trial=True)
    entry: Any = Entry(away, fails)
    settled, models = load_planned(plan, slide, entry)
    assert (settled.precision, settled.on_trial) == (precision, False)
    assert settled.precision_change == (None if change is None else pytest.approx(change, rel=0.05))
    assert len(models) == 1
    assert settled.record()["precision"] == precision
    entry.loads.clear()
    load_planned(replace(plan, on_trial=False), slide, entry)
    assert entry.loads == ["bfloat16"], "what was asked for is not compared"


def test_the_trial_sees_the_model_that_was_planned(slide: Slide) -> None:
    plan = replace(planned(slide), spec=darkness(sha256="1" * 64))
    with pytest.raises(ModelError, match="not the model that was planned"):
        load_planned(plan, slide, Entry(0.0))  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("task", ["classify", "ordinal", "segment"])
def test_the_same_bits_whatever_the_order_the_threads_and_what_was_done_before(
    slide: Slide, random_models: dict[str, Path], task: str, precision: Any
) -> None:
    """Calls are of one size, so a patch's answer does not depend on its company."""
    path = random_models[task]
    wishes = PlanWishes(region=Box(0, 0, 150, 150), batch_size=4, threads=1, precision=precision)
    plan = resolve(wishes, slide, read_spec(path), CPU)
    model = load_from(plan.spec, path.parent, precision=precision)
    usual = gathered(run(plan, slide=slide, model=model))
    two = replace(plan, threads=2, batch_size=3 * plan.call_size)
    assert two.call_size == plan.call_size
    shuffled = np.random.default_rng(0).permutation(plan.cells)
    for other, agenda in (
        (two, None),
        (two, Agenda(shuffled)),
        (plan, Agenda(shuffled[5:], done=5)),
    ):
        got = gathered(run(other, slide=slide, model=model, agenda=agenda, ordered=agenda is None))
        for cell, answer in got.items():
            np.testing.assert_array_equal(answer, usual[cell])


def gathered(events: Any) -> dict[tuple[int, ...], np.ndarray]:
    return {
        tuple(cell): answer
        for event in batches(events)
        for cell, answer in zip(event.cells.tolist(), event.probabilities, strict=True)
    }


def test_a_model_that_fails_in_one_thread_is_told_in_the_callers(slide: Slide) -> None:
    class Breaks(Darkness):
        def predict(self, batch: np.ndarray) -> np.ndarray:
            raise RuntimeError("shapes do not fit\nat line 3")

    with pytest.raises(InferenceError, match=r"darkness failed on 10 patches on cpu \(shapes do not fit\)"):
        list(run(planned(slide), slide=slide, model=Breaks(darkness())))
    assert not our_threads()


def test_a_device_that_cannot_be_set_up_is_told(slide: Slide, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the pool raises then is a RuntimeError, which napari's worker would swallow."""

    def begin(device: str) -> None:
        raise ValueError("no such card")

    monkeypatch.setattr(line_module, "begin_worker", begin)
    with pytest.raises(InferenceError, match="darkness failed on 10 patches on cpu"):
        list(run(planned(slide), slide=slide, model=Darkness(darkness())))
    assert not our_threads()
