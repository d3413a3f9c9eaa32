"""The model that a run leaves: weights, spec, and the reference of its features."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.events import Progress, StageDone
from napari_her2.learning.data import phantom_blocks, phantom_patches
from napari_her2.models import ReferenceFile, fit_reference, save_weights, write_reference, write_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.learning._engine import Engine
    from napari_her2.learning.data import TrainingData
    from napari_her2.learning.patch import Patch
    from napari_her2.learning.recipe import Recipe
    from napari_her2.models import ModelSpec

    Taught = Callable[[int], list[Patch]]

__all__ = ["finished_model", "patches_at_the_end"]

LEAST: Final = 100
"""Held-out patches without which no threshold can be set."""
REFERENCE: Final = {"classify": (600, 300), "ordinal": (600, 300), "segment": (160, 110)}
"""Patches that describe the features, and patches of other cases that set the threshold."""


def patches_at_the_end(recipe: Recipe, data: TrainingData) -> int:
    """Return how many patches are asked about after the last step: a validation and the reference."""
    count, others = REFERENCE[recipe.plan.task]
    return len(data.validation) + count + others


def finished_model(
    recipe: Recipe, data: TrainingData, engine: Engine, folder: Path, taught: Taught, story: dict[str, Any]
) -> Steps[ModelSpec]:
    """Write the model into a folder that ``models add`` takes.

    Parameters
    ----------
    recipe, data
        Of the run.
    engine : Engine
        Holding the weights to keep as its moving average.
    folder : Path
    taught : callable
        ``taught(count)`` gives up to that many patches that the model was trained on.
    story : dict
        Further fields of the spec.
    """
    from napari_her2.store import writable_folder

    started = time.monotonic()
    writable_folder(folder)
    weights = folder / f"{recipe.name}.safetensors"
    sha256 = save_weights(engine.ema.module, weights)
    described, held_out = _compared(recipe, data, taught)
    path = folder / f"{recipe.name}.reference.safetensors"
    reference = yield from _reference(engine, described, held_out, path)
    spec = recipe.plan.spec(
        name=recipe.name, weights=weights.name, sha256=sha256, licence=recipe.licence, reference=reference,
        made_with={name: version(name) for name in ("torch", "timm", "transformers")}, **story,
    )  # fmt: skip
    write_spec(spec, folder / f"{recipe.name}.json")
    yield StageDone("model", time.monotonic() - started)
    return spec


def _compared(recipe: Recipe, data: TrainingData, taught: Taught) -> tuple[list[Patch], list[Patch]]:
    """Patches the model was trained on, and patches of other cases; phantoms fill up where these are few."""
    count, others = REFERENCE[recipe.plan.task]
    held_out = data.validation[:others]
    if len(held_out) <= LEAST and recipe.data.phantoms is not None:
        held_out = [
            *held_out, *phantom_patches(phantom_blocks(recipe, "reference"), others - len(held_out))
        ]  # fmt: skip
    return taught(count), held_out


def _reference(
    engine: Engine, described: list[Patch], held_out: list[Patch], path: Path
) -> Steps[ReferenceFile | None]:
    """Describe the features; None where there are too few patches."""
    if len(held_out) < LEAST + 1 or len(described) <= LEAST:
        return None
    features = []
    for start in range(0, len(described) + len(held_out), 16):
        group = [*described, *held_out][start : start + 16]
        features.append(engine.features(_pixels(group)))
        yield Progress("features", start + len(group), len(described) + len(held_out), "patches")
    every = np.concatenate(features)
    fitted = fit_reference(every[: len(described)], every[len(described) :])
    return ReferenceFile(file=path.name, sha256=write_reference(fitted, path))


def _pixels(patches: Sequence[Patch]) -> NDArray[np.uint8]:
    return np.stack([patch.pixels for patch in patches])
