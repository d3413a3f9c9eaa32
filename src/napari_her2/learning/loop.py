"""Training from a recipe to a model that can be added: one generator of events, resumable after a kill."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.errors import UsageError
from napari_her2.events import Notice, Progress, StageDone
from napari_her2.learning.augment import augmented
from napari_her2.learning.checkpoint import Standing, read_checkpoint, recipe_key, write_checkpoint
from napari_her2.learning.curves import draw_curves, write_log
from napari_her2.learning.data import TrainingData, prepare
from napari_her2.learning.finish import finished_model, patches_at_the_end
from napari_her2.learning.validation import Validation, validated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_her2.events import Steps
    from napari_her2.learning._engine import Engine
    from napari_her2.learning.patch import Patch
    from napari_her2.learning.recipe import Recipe, Stage
    from napari_her2.learning.sources import PatchSource
    from napari_her2.models import ModelSpec

__all__ = ["Trained", "TrainingFiles", "train"]

SAVE_EVERY_S: Final = 120.0
ANSWER: Final = 0.5
"""Time of an answer as a share of that of a training step, a patch each, until the first validation tells."""
CHANCE: Final = 77  # keeps the chance of steps apart from that of drawing


@dataclass(frozen=True, slots=True)
class TrainingFiles:
    """Names inside a run's folder."""

    folder: Path

    @property
    def recipe(self) -> Path:
        """The recipe with all defaults, as JSON (which is YAML as well)."""
        return self.folder / "recipe.yaml"

    @property
    def checkpoint(self) -> Path:
        """Where the run stands."""
        return self.folder / "checkpoint.safetensors"

    @property
    def best(self) -> Path:
        """Averaged weights of the best validation, float32."""
        return self.folder / "best.safetensors"

    @property
    def log(self) -> Path:
        """One row per epoch."""
        return self.folder / "log.csv"

    @property
    def curves(self) -> Path:
        """Losses and figures over epochs."""
        return self.folder / "curves.png"

    @property
    def model(self) -> Path:
        """The finished model: spec, weights, reference."""
        return self.folder / "model"


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A finished run.

    Attributes
    ----------
    files : TrainingFiles
    spec : ModelSpec
    rows : tuple of dict
        The log.
    best_epoch : int
    """

    files: TrainingFiles
    spec: ModelSpec
    rows: tuple[dict[str, float], ...]
    best_epoch: int


def train(recipe: Recipe, out: Path, *, device: str = "auto", restart: bool = False) -> Steps[Trained]:
    """Train a model, or go on where a run of the same recipe in the same folder was stopped.

    Parameters
    ----------
    recipe : Recipe
    out : Path
        Folder of the run; made if it is not there.
    device : str
        As :func:`napari_her2.inference.pick_device` takes it.
    restart : bool
        Forget what the folder holds.

    Yields
    ------
    Event

    Returns
    -------
    Trained
        Its model lies in ``out/model`` and can be added with ``models add``.

    Raises
    ------
    UsageError
        If the data are not usable, a split leaks, or the folder holds another run.
    InferenceError
        If the loss runs away.
    """
    from napari_her2.inference import pick_device
    from napari_her2.learning._engine import Engine
    from napari_her2.store import write_json

    began = time.monotonic()
    files = TrainingFiles(out)
    if restart:
        files.checkpoint.unlink(missing_ok=True)
    _make(out)
    data = yield from prepare(recipe)
    engine = Engine(recipe, pick_device(device))
    run = _Run(recipe, files, data, engine)
    run.spent(time.monotonic() - began)
    write_json(files.recipe, recipe.to_json())
    yield from run.to_the_end()
    return (yield from run.finished())


def _make(folder: Path) -> None:
    from napari_her2.store import writable_folder

    writable_folder(folder)


class _Run:
    """The loop and where it stands."""

    def __init__(self, recipe: Recipe, files: TrainingFiles, data: TrainingData, engine: Engine) -> None:
        self.recipe, self.files, self.data, self.engine = recipe, files, data, engine
        self.schedule = recipe.schedule
        self.key = recipe_key(recipe)
        self.standing = Standing(low=engine.low)
        self.total = self.schedule.epochs * self.schedule.patches_per_epoch
        self._sources: dict[int, PatchSource] = {}
        if files.checkpoint.is_file():
            self.standing, tensors = read_checkpoint(files.checkpoint, self.key)
            engine.take(tensors)
            engine.low = self.standing.low
        self._began = time.monotonic() - self.standing.seconds
        over = self.fraction >= 1 or self._out_of_patience(self.standing)
        self.standing = self.standing.having(done=self.standing.done and over)  # there may be more time now
        self._saved = time.monotonic()

    def spent(self, seconds: float) -> None:
        """Count time that went before the first step: drawing and loading."""
        self._began -= seconds

    @property
    def seconds(self) -> float:
        """Time used, over all parts of the run."""
        return time.monotonic() - self._began

    @property
    def fraction(self) -> float:
        """How much of the run is done, by patches or by time, whichever is further."""
        minutes = self.schedule.max_minutes
        if minutes is None:
            by_time = 0.0
        else:  # the end needs its share, but training gets half in any case
            by_time = self.seconds / max(60 * minutes - self.standing.end_s, 30 * minutes)
        return min(max(self.standing.seen / self.total, by_time), 1.0)

    def to_the_end(self) -> Steps[None]:
        """Epoch after epoch until the schedule, the time or patience ends."""
        if self.standing.step:
            yield Notice(f"going on from epoch {self.standing.epoch}, step {self.standing.step}")
        while not self.standing.done:
            started = time.monotonic()
            yield from self._epoch()
            found = self._validate()
            yield StageDone(f"epoch {self.standing.epoch}", time.monotonic() - started)
            yield Notice(self._told(found))

    def _epoch(self) -> Steps[None]:
        size = self.schedule.patches_per_epoch
        while self.fraction < 1 and self.standing.seen < (self.standing.epoch + 1) * size:
            self._step()
            done = self.standing.seen - self.standing.epoch * size  # below 0 if time cut the last one short
            yield Progress(f"epoch {self.standing.epoch + 1}", min(max(done, 0), size), size, "patches")
            if time.monotonic() - self._saved > SAVE_EVERY_S:
                self._save()

    def _step(self) -> None:
        standing, fraction = self.standing, self.fraction
        stage = next(
            k for k, part in enumerate(self.schedule.stages) if fraction < part.until or part.until == 1
        )
        if stage != standing.stage:
            standing = standing.having(stage=stage, stage_start=standing.step)
        part = self.schedule.stages[stage]
        rng = np.random.default_rng([self.recipe.seed, CHANCE, standing.step])
        patches = list(self._patches(stage, part, standing.step - standing.stage_start, rng))
        started = time.monotonic()
        loss = self.engine.step(patches, standing.step, int(rng.integers(2**31)), fraction)
        end_s = standing.end_s or self._end_s((time.monotonic() - started) / len(patches) * ANSWER)
        self.standing = standing.having(
            step=standing.step + 1, seen=standing.seen + len(patches), losses=(*standing.losses, loss),
            end_s=end_s,
        )  # fmt: skip

    def _end_s(self, patch_s: float) -> float:
        """Time from the last step to the finished model, given that of an answer for one patch."""
        return patch_s * patches_at_the_end(self.recipe, self.data)

    def _patches(self, number: int, stage: Stage, step: int, rng: np.random.Generator) -> Iterator[Patch]:
        if number not in self._sources:
            self._sources = {number: self.data.source(stage)}
        wishes, stain = self.recipe.augment, self.recipe.plan.stain
        for patch in self._sources[number].batch(step, stage.batch, rng):
            pixels, labels = augmented(patch.pixels, patch.labels, stain, wishes, rng)
            yield replace(patch, pixels=pixels, labels=labels)

    def _validate(self) -> Validation:
        started = time.monotonic()
        found = validated(self.recipe.task, self.data.validation, self.engine.probabilities)
        if self.fraction < 1:  # else it was the last: what ended training still holds when a run is resumed
            patch_s = (time.monotonic() - started) / max(len(self.data.validation), 1)
            self.standing = self.standing.having(end_s=self._end_s(patch_s))
        standing = self.standing
        losses = standing.losses or (float("nan"),)
        row: dict[str, float] = {
            "epoch": standing.epoch + 1, "patches": standing.seen, "seconds": self.seconds,
            "learning_rate": self.engine.learning_rate, "train_loss": float(np.mean(losses)),
            "validation_loss": found.loss,
            **{f"validation_{name}": value for name, value in found.figures.items()},
        }  # fmt: skip
        better = standing.best is None or found.score > standing.best
        standing = standing.having(epoch=standing.epoch + 1, rows=(*standing.rows, row), losses=())
        if better:
            standing = standing.having(best=found.score, best_epoch=standing.epoch)
            self._keep_best()
        self.standing = standing.having(done=self.fraction >= 1 or self._out_of_patience(standing))
        write_log(self.standing.rows, self.files.log)
        self._save()
        return found

    def _out_of_patience(self, standing: Standing) -> bool:
        patience = self.schedule.patience
        return patience is not None and standing.epoch - standing.best_epoch >= patience

    def _keep_best(self) -> None:
        from safetensors.torch import save

        from napari_her2.store import write_bytes

        write_bytes(self.files.best, save(self.engine.average(), metadata={"format": "pt"}))

    def _save(self) -> None:
        self.standing = self.standing.having(seconds=self.seconds)
        write_checkpoint(self.files.checkpoint, self.key, self.standing, self.engine.state())
        self._saved = time.monotonic()

    def _told(self, found: Validation) -> str:
        figures = ", ".join(f"{name} {value:.4f}" for name, value in found.figures.items())
        row = self.standing.rows[-1]
        return (
            f"epoch {self.standing.epoch}: train loss {row['train_loss']:.3f}, "
            f"validation loss {found.loss:.3f}, {figures} ({row['seconds'] / 60:.1f} min)"
        )

    def finished(self) -> Steps[Trained]:
        """Write curves and the model from the best state."""
        from safetensors.torch import load_file

        if not self.files.best.is_file():
            raise UsageError(f"{self.files.best.name} is gone: start anew with --restart")
        self.engine.take_average(load_file(self.files.best))
        drawn = draw_curves(self.standing.rows, self.files.curves, self.standing.best_epoch)
        if not drawn:
            yield Notice("no curves were drawn: matplotlib is not installed (extra `learning`)")
        spec = yield from finished_model(
            self.recipe, self.data, self.engine, self.files.model, self._taught, self._story()
        )
        return Trained(self.files, spec, self.standing.rows, self.standing.best_epoch)

    def _taught(self, count: int) -> list[Patch]:
        number = self.standing.stage
        stage = self.schedule.stages[number]
        if number not in self._sources:
            self._sources = {number: self.data.source(stage)}
        step = max(self.standing.step - 1 - self.standing.stage_start, 0)
        return self.data.seen(self._sources[number], stage, step, count)

    def _story(self) -> dict[str, Any]:
        best = self.standing
        return {
            "trained_on": f"{self.data.told}; {best.seen} patches in {best.step} steps, epoch "
            f"{best.best_epoch} of {best.epoch} kept by validation, seed {self.recipe.seed}"
        }
