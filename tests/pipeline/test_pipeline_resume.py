"""Killed at any moment, a run goes on: at most one batch is done twice, and the bits are equal."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.inference.known import CPU, Darkness, darkness

from napari_her2 import slides
from napari_her2.case.report import Provenance
from napari_her2.errors import OutputError, SlideError
from napari_her2.events import Progress, drain
from napari_her2.inference import Guided, PlanWishes, resolve
from napari_her2.models import fit_reference
from napari_her2.pipeline.asking import Asking
from napari_her2.pipeline.keeping import guided_answers, kept_answers
from napari_her2.pipeline.segmentation import Segmented, write_segmentation
from napari_her2.slides import open_slide
from napari_her2.store import read_results, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_her2.slides import Slide

BATCH = 9
MOMENTS = 6


@pytest.fixture(scope="module")
def slide_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 x 420 px at 0.25 µm/px."""
    import cv2
    import tifffile

    coarse = np.random.default_rng(7).uniform(30, 240, (12, 16, 3)).astype(np.float32)
    full = np.clip(cv2.resize(coarse, (420, 300), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
    path = tmp_path_factory.mktemp("slide") / "small.ome.tif"
    size = {f"PhysicalSize{a}": 0.25 for a in "XY"} | {f"PhysicalSize{a}Unit": "µm" for a in "XY"}
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(full, tile=(64, 64), photometric="rgb", metadata={"axes": "YXS"} | size)
    return path


class Counting(Darkness):
    """Notes each patch that it is asked about in a file, as a killed process could not tell."""

    def __init__(self, task: str, log: Path, seconds: float) -> None:
        super().__init__(darkness(task, size_px=32))
        self.log, self.seconds = log, seconds

    def predict(self, batch: np.ndarray) -> np.ndarray:
        file = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, b"x" * len(np.unique(batch.reshape(len(batch), -1), axis=0)))
        os.close(file)
        time.sleep(self.seconds)
        return super().predict(batch)


def asking(slide: Slide, task: str, log: Path, seconds: float = 0.0) -> Asking:
    wishes = PlanWishes(batch_size=BATCH, threads=2)
    model = Counting(task, log, seconds)
    entry: Any = SimpleNamespace(spec=model.spec)
    return Asking(entry, resolve(wishes, slide, model.spec, CPU), slide, (model,))


def steps(task: str, slide: Slide, folder: Path, log: Path, seconds: float = 0.0) -> Any:
    asked = asking(slide, task, log, seconds)
    if task == "segment":
        path = folder / "segmentation.zarr"
        return write_segmentation(asked, path, stage="pixels", place=folder / "running")
    return kept_answers(asked, folder / "running", "patches")


def work(task: str, slide_path: Path, folder: Path, log: Path, seconds: float) -> None:
    with open_slide(slide_path) as slide:
        drain(steps(task, slide, folder, log, seconds))


@pytest.fixture(scope="module")
def whole(slide_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, int]]:
    """By task, what an undisturbed run gives, and how many patches it asked about."""
    found = {}
    for task in ("classify", "segment"):
        folder = tmp_path_factory.mktemp(task)
        with open_slide(slide_path) as slide:
            answer = drain(steps(task, slide, folder, folder / "log", 0.02))
        kept = sha256_of(folder / "segmentation.zarr") if task == "segment" else ""
        found[task] = ((answer, kept), (folder / "log").stat().st_size)
    return found


def equal(one: Any, two: Any) -> None:
    """Bit by bit."""
    pairs = (
        ((one.pixels, two.pixels), (one.unsure, two.unsure)) if isinstance(one, Segmented) else ((one, two),)
    )
    for a, b in pairs:
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a POSIX word")
@pytest.mark.parametrize("task", ["classify", "segment"])
def test_kill_9_at_any_moment(task: str, slide_path: Path, whole: Any, tmp_path: Path) -> None:
    (answer, kept), asked = whole[task]
    log, rng, kills = tmp_path / "log", np.random.default_rng(11), 0
    context = multiprocessing.get_context("fork")
    for asked_by_then in np.sort(rng.integers(0, asked, MOMENTS)):
        child = context.Process(target=work, args=(task, slide_path, tmp_path, log, 0.02))
        child.start()
        while child.is_alive() and (log.stat().st_size if log.exists() else 0) < asked_by_then:
            time.sleep(0.001)
        time.sleep(float(rng.uniform(0, 0.05)))
        child.kill()
        child.join(30)
        assert child.exitcode in (0, -9)
        kills += child.exitcode == -9
    with open_slide(slide_path) as slide:
        again = drain(steps(task, slide, tmp_path, log))
    equal(answer, again)
    assert kills
    assert log.stat().st_size <= asked + kills * BATCH
    if task == "segment":
        assert sha256_of(tmp_path / "segmentation.zarr") == kept


def some(events: Any, n: int) -> Iterator[Any]:
    """The first n progress events."""
    for event in events:
        if isinstance(event, Progress):
            n -= 1
            yield event
        if n == 0:
            return


@pytest.mark.parametrize("task", ["classify", "segment"])
def test_a_stopped_run_goes_on(task: str, slide_path: Path, whole: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with open_slide(slide_path) as slide:
        events = steps(task, slide, tmp_path, log)
        done = [event.done for event in some(events, 20)][-1]
        events.close()
        events = steps(task, slide, tmp_path, log)
        first = next(event for event in events if isinstance(event, Progress))
        assert first.done >= done > 0
        drain(events)
    assert log.stat().st_size <= whole[task][1] + BATCH


@pytest.fixture
def cache_put_back() -> Iterator[None]:
    yield
    slides.set_tile_cache_bytes(256 * 2**20)


@pytest.mark.usefixtures("cache_put_back")
def test_a_slide_that_goes_away_costs_nothing_that_was_done(slide_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.ome.tif"
    path.write_bytes(slide_path.read_bytes())
    with open_slide(path) as slide:
        slide.sha256()
        events = steps("classify", slide, tmp_path, tmp_path / "log")
        done = [event.done for event in some(events, 3)][-1]
        slides.set_tile_cache_bytes(0)
        os.truncate(path, 2000)
        with pytest.raises(SlideError, match=r"small\.ome\.tif"):
            drain(events)
    seen = read_results(tmp_path / "running")
    assert (seen.status[:] == 2).sum() >= done
    path.write_bytes(slide_path.read_bytes())
    with open_slide(path) as slide:
        first = next(
            e for e in steps("classify", slide, tmp_path, tmp_path / "log") if isinstance(e, Progress)
        )
        assert first.done >= done


@pytest.mark.parametrize("trouble", [(28, "No space left on device"), (30, "Read-only file system")])
@pytest.mark.parametrize("task", ["classify", "segment"])
def test_a_disk_that_is_full_or_closed_in_mid_run_costs_nothing_that_was_done(
    task: str,
    trouble: tuple[int, str],
    slide_path: Path,
    whole: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sync, left = os.fsync, [12]

    def full(number: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(*trouble)
        sync(number)

    with open_slide(slide_path) as slide:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OutputError, match=trouble[1]):
                drain(steps(task, slide, tmp_path, tmp_path / "log"))
        again = drain(steps(task, slide, tmp_path, tmp_path / "log"))
    equal(whole[task][0][0], again)
    assert (tmp_path / "log").stat().st_size <= whole[task][1] + BATCH


class Featured(Counting):
    """Also shows what it sees."""

    def features(self, batch: np.ndarray) -> np.ndarray:
        return self.predict_with_features(batch)[1]

    def predict_with_features(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.predict(batch), batch.mean(axis=(1, 2), dtype=np.float32)


@pytest.mark.parametrize("task", ["classify", "segment"])
def test_no_patch_is_seen_again_to_learn_whether_the_model_knew_it(
    task: str, slide_path: Path, whole: Any, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    reference = fit_reference(rng.normal(130, 50, (300, 3)), rng.normal(130, 50, (100, 3)))
    log, alone = tmp_path / "log", tmp_path / "alone"
    with open_slide(slide_path) as slide:

        def asking_of(log: Path) -> Asking:
            model, plain = Featured(task, log, 0.0), asking(slide, task, log)
            return replace(plain, models=(model,), reference=reference)

        def begun(asked: Asking, sample: Any) -> Any:
            if task == "segment":
                path = tmp_path / "segmentation.zarr"
                return write_segmentation(asked, path, stage="s", place=tmp_path / "running", sample=sample)
            return kept_answers(asked, tmp_path / "running", "s", sample)

        stopped = asking_of(log)
        events = begun(stopped, stopped.sample(stopped.plan.cells))
        list(some(events, 20))
        events.close()
        asked = asking_of(log)
        sample = asked.sample(asked.plan.cells)
        assert sample is not None
        again = drain(begun(asked, sample))
        novelty = asked.asked(sample).novelty
        assert log.stat().st_size <= whole[task][1] + BATCH
        afterwards = asking_of(alone)
        assert afterwards.asked(afterwards.sample(afterwards.plan.cells)).novelty == novelty
        assert alone.stat().st_size > BATCH, "that is what it costs otherwise"
    equal(whole[task][0][0], again)


class Sharp(Counting):
    """Knows what it wants."""

    def predict(self, batch: np.ndarray) -> np.ndarray:
        dark = 1 / (1 + np.exp(30 * (0.5 - super().predict(batch)[:, 1])))
        return np.stack([1 - dark, dark], axis=1).astype(np.float32)


def guided(slide: Slide, folder: Path, log: Path) -> Any:
    """A grid of 2000 patches, of which the student foretells most."""
    wishes = PlanWishes(batch_size=BATCH, threads=2, overlap=0.75)
    model = Sharp("classify", log, 0.0)
    model.spec = darkness(size_px=32, um_per_px=8.0)
    entry: Any = SimpleNamespace(spec=model.spec)
    asked = Asking(entry, resolve(wishes, slide, model.spec, CPU), slide, (model,))
    return guided_answers(asked, folder / "running", "tumour", 1)


def test_a_guided_run_goes_the_same_way_after_a_stop(slide_path: Path, tmp_path: Path) -> None:
    with open_slide(slide_path, um_per_px=8.0) as slide:
        answer, outcome = drain(guided(slide, tmp_path / "whole", tmp_path / "log"))
        assert 0.2 < outcome.fraction_skipped < 1
        assert np.isfinite(answer).all()
        for n in (3, 40, 60):
            events = guided(slide, tmp_path / "parts", tmp_path / "log2")
            assert len(list(some(events, n))) == n
            events.close()
        again, same = drain(guided(slide, tmp_path / "parts", tmp_path / "log2"))
    np.testing.assert_array_equal(again, answer)
    assert same == outcome
    assert (tmp_path / "log2").stat().st_size <= (tmp_path / "log").stat().st_size + 3 * BATCH


def test_the_report_has_room_for_what_was_skipped() -> None:
    outcome = Guided(
        patches=100, asked=20, audited=10, missed=0, invented=1, missed_percent=None, missed_percent_high=None
    )
    provenance = {
        "slides": (), "settings": {}, "versions": {}, "started": "", "seconds": {},
        "guided": {"tumour_model": outcome.to_json()},
    }  # fmt: skip
    assert Provenance.model_validate(provenance).guided["tumour_model"]["fraction_skipped"] == 0.8
