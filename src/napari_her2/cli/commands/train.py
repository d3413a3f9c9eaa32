"""``train``: a model from a recipe."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_her2.cli.console import Answer, follow
from napari_her2.errors import UsageError
from napari_her2.learning import read_recipe, train

if TYPE_CHECKING:
    import argparse

    from napari_her2.learning import Recipe, Trained

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> Answer:
    """Train as the recipe says, or go on where the same recipe was stopped."""
    recipe = _changed(read_recipe(arguments.recipe), arguments)
    out = Path("training") / recipe.name if arguments.out is None else arguments.out
    steps = train(recipe, out, device=arguments.device, restart=arguments.restart)
    return _answer(follow(steps, quiet=arguments.json))


def _changed(recipe: Recipe, arguments: argparse.Namespace) -> Recipe:
    if recipe.task != arguments.task:
        raise UsageError(
            f"the recipe {recipe.name} trains the {recipe.task} model: write `train {recipe.task}`, or "
            f"choose a recipe for {arguments.task}"
        )
    if arguments.minutes is None:
        return recipe
    if arguments.minutes <= 0:
        raise UsageError(f"--minutes {arguments.minutes:g} leaves no time: give a number above 0")
    schedule = recipe.schedule.model_copy(update={"max_minutes": arguments.minutes})
    return recipe.model_copy(update={"schedule": schedule})


def _answer(trained: Trained) -> Answer:
    last = trained.rows[trained.best_epoch - 1]
    data: dict[str, Any] = {
        "model": str(trained.files.model),
        "name": trained.spec.name,
        "sha256": trained.spec.sha256,
        "best_epoch": trained.best_epoch,
        "epochs": len(trained.rows),
        "validation": {
            name.removeprefix("validation_"): value if math.isfinite(value) else None
            for name, value in last.items()
            if name.startswith("validation_")
        },
    }
    found = data["validation"].items()
    figures = ", ".join(f"{name} {value:.4f}" for name, value in found if value is not None)
    text = (
        f"{trained.spec.name} in {trained.files.model}: {figures} on validation, epoch "
        f"{trained.best_epoch} of {len(trained.rows)}; `napari-her2 models add {trained.files.model}` adds it"
    )
    return Answer(data, text)
