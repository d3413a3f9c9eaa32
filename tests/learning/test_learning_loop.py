"""Training runs: what they leave, that they go on after a kill, that they learn."""

from __future__ import annotations

import csv
from itertools import count, islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.learning.tiny_recipes import content, recipe

from napari_her2.errors import UsageError
from napari_her2.events import Notice, Progress, drain
from napari_her2.learning import Recipe, Trained, TrainingFiles, train
from napari_her2.learning import finish as finishing
from napari_her2.learning import loop as looping
from napari_her2.learning.data import phantom_blocks, prepare
from napari_her2.models import Places, add_model, load_model, read_reference, verify_models

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _small_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finishing, "REFERENCE", dict.fromkeys(("classify", "ordinal", "segment"), (2, 2)))


def trained(wanted: Recipe, out: Path, **more: Any) -> Trained:
    return drain(train(wanted, out, device="cpu", **more))


@pytest.mark.parametrize("task", ["tumour", "stain", "segment", "tissue"])
def test_a_run_leaves_a_model_that_can_be_added(task: str, tmp_path: Path) -> None:
    found = trained(recipe(task, epochs=1), tmp_path / "run")
    assert found.files == TrainingFiles(tmp_path / "run")
    for path in (found.files.log, found.files.curves, found.files.checkpoint, found.files.recipe):
        assert path.stat().st_size > 0
    assert found.files.curves.read_bytes().startswith(b"\x89PNG")
    places = Places.under(tmp_path / "places")
    entry = add_model(found.files.model, places=places)
    assert entry.spec.name == f"{task}-toy"
    assert "seed 3" in entry.spec.trained_on
    assert all(verdict.ok for verdict in verify_models(places=places))
    side = entry.spec.size_px
    answer = load_model(entry.spec.name, places=places).predict(np.full((1, side, side, 3), 200, np.uint8))
    assert answer.sum(axis=1) == pytest.approx(np.ones((1, *answer.shape[2:])), abs=1e-4)


def test_the_log_has_a_row_per_epoch(tmp_path: Path) -> None:
    found = trained(recipe("stain"), tmp_path)
    with found.files.log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["epoch"]) for row in rows] == [1, 2]
    assert [float(row["patches"]) for row in rows] == [8, 16]
    assert 1 <= found.best_epoch <= 2


def until_killed(wanted: Recipe, out: Path, steps: int) -> None:
    """Stop a run after some steps, as a kill would: nothing is tidied up."""
    events = (event for event in train(wanted, out, device="cpu") if isinstance(event, Progress))
    list(islice((event for event in events if event.stage.startswith("epoch")), steps))


@pytest.mark.parametrize("steps", [2, 3])
def test_a_killed_run_goes_on_to_the_same_end(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looping, "SAVE_EVERY_S", 0.0)
    wanted = recipe("stain", keep_tokens=0.5)
    whole = trained(wanted, tmp_path / "whole")
    until_killed(wanted, tmp_path / "parts", steps)
    assert not (tmp_path / "parts" / "model").exists()
    events = []
    going_on = train(wanted, tmp_path / "parts", device="cpu")
    while True:
        try:
            events.append(next(going_on))
        except StopIteration as stop:
            parts = stop.value
            break
    assert any(isinstance(event, Notice) and "going on" in event.text for event in events)
    assert parts.spec.sha256 == whole.spec.sha256
    assert _untimed(parts) == _untimed(whole)


def _untimed(found: Trained) -> list[str]:
    """Rows of the log without their time; as text, for a figure that nothing allowed is nan in both."""
    return [str({k: v for k, v in row.items() if k != "seconds"}) for row in found.rows]


def test_two_runs_of_one_recipe_are_the_same_and_another_seed_is_not(tmp_path: Path) -> None:
    first = trained(recipe("stain", epochs=1), tmp_path / "a").spec.sha256
    assert trained(recipe("stain", epochs=1), tmp_path / "b").spec.sha256 == first
    other = recipe("stain", epochs=1).model_copy(update={"seed": 4})
    assert trained(other, tmp_path / "c").spec.sha256 != first


def test_a_folder_of_another_recipe_is_refused_unless_told(tmp_path: Path) -> None:
    trained(recipe("stain", epochs=1), tmp_path)
    other = recipe("stain", epochs=1, learning_rate=1e-3)
    with pytest.raises(UsageError, match="another recipe"):
        trained(other, tmp_path)
    assert trained(other, tmp_path, restart=True).rows


def test_more_time_may_be_given_to_a_run(tmp_path: Path) -> None:
    short = trained(recipe("stain", epochs=1), tmp_path)
    again = trained(recipe("stain", epochs=1, max_minutes=60), tmp_path)
    assert again.spec.sha256 == short.spec.sha256


@pytest.fixture
def turning_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that does not depend on what else this machine does."""
    turns = count()
    monkeypatch.setattr(looping, "time", SimpleNamespace(monotonic=lambda: 0.08 * next(turns)))


@pytest.mark.usefixtures("turning_clock")
def test_time_ends_the_schedule_properly(tmp_path: Path) -> None:
    found = trained(recipe("stain", epochs=10_000, max_minutes=0.06), tmp_path)
    assert len(found.rows) < 600
    assert found.rows[-1]["learning_rate"] < 0.5 * 5e-4
    more = found.rows[-1]["seconds"] / 60 + 0.08
    again = trained(recipe("stain", epochs=10_000, max_minutes=more), tmp_path)
    assert len(again.rows) > len(found.rows)
    times = [row["seconds"] for row in found.rows]
    assert [row["seconds"] for row in again.rows][: len(times)] == times


@pytest.mark.usefixtures("turning_clock")
def test_progress_stays_in_range_when_time_cut_an_epoch_short(tmp_path: Path) -> None:
    long = {"epochs": 10_000, "patches_per_epoch": 400}
    cut = trained(recipe("stain", max_minutes=0.06, **long), tmp_path)
    more = cut.rows[-1]["seconds"] / 60 + 0.12
    events = list(train(recipe("stain", max_minutes=more, **long), tmp_path, device="cpu"))
    told = [event for event in events if isinstance(event, Progress) and event.stage.startswith("epoch")]
    assert told
    assert all(event.total is not None and 0 <= event.done <= event.total for event in told)


def test_patience_ends_a_run_that_gets_no_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looping, "validated", lambda *_: looping.Validation(1.0, {"auc": 0.5}, 0.5))
    found = trained(recipe("stain", epochs=30, patience=2, patches_per_epoch=4), tmp_path)
    assert len(found.rows) == 3
    assert found.best_epoch == 1


def test_a_vit_learns_a_plain_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dark and bright patches of ten cases, in folders; enough of them to tell what is unlike."""
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(0)
    for case in range(10):
        for name, level in (("tumour", 90), ("other", 190)):
            folder = tmp_path / "patches" / name
            folder.mkdir(parents=True, exist_ok=True)
            for k in range(11):
                coarse = rng.normal(level, 20, (14, 14, 3)).clip(0, 255).astype(np.uint8)
                cv2.imwrite(
                    str(folder / f"case{case}_{k}.png"), np.kron(coarse, np.ones((16, 16, 1), np.uint8))
                )
    data = {"patches": {"folder": str(tmp_path / "patches")}, "validation_share": 0.5}
    wanted = Recipe.model_validate(
        content(epochs=3, patches_per_epoch=48, stages=[{"batch": 8}], learning_rate=3e-3) | {"data": data}
    )
    monkeypatch.setattr(finishing, "REFERENCE", {"classify": (110, 110)})
    found = trained(wanted, tmp_path / "run")
    assert max(row["validation_auc"] for row in found.rows) == 1.0
    assert "220 labelled patches of 10 cases" in found.spec.trained_on
    assert found.spec.reference is not None
    reference = read_reference(found.files.model / found.spec.reference.file)
    assert reference.threshold > 0


@pytest.mark.parametrize(("task", "size_px"), [("stain", None), ("segment", 128)])
def test_the_reference_describes_patches_that_training_drew(task: str, size_px: int | None) -> None:
    wanted = recipe(task, stages=[{"batch": 4, "size_px": size_px}])
    data = drain(prepare(wanted))
    (stage,) = wanted.schedule.stages
    seen = data.seen(data.source(stage), stage, 0, 6)
    drawn = [patch.pixels.tobytes() for k in range(2) for patch in phantom_blocks(wanted, "train").patches(k)]
    assert seen
    assert all(patch.pixels.tobytes() in drawn for patch in seen)
    assert len({patch.pixels.tobytes() for patch in seen}) == len(seen)
