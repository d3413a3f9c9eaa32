"""From a recipe's data to patches for training and for validation, split by case and checked for leaks."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.events import Progress, StageDone
from napari_her2.learning.bundles import case_patches
from napari_her2.learning.folders import labelled_patches
from napari_her2.learning.phantom_data import PhantomBlocks
from napari_her2.learning.sources import FixedSource, MixedSource, PatchSource, PhantomSource
from napari_her2.learning.splits import check_no_leak, fingerprint, split_cases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_her2.events import Steps
    from napari_her2.learning.patch import Patch
    from napari_her2.learning.recipe import Recipe, Stage
    from napari_her2.learning.sources import LabelledPatch

__all__ = ["TrainingData", "phantom_patches", "prepare"]

SEEN: Final = 78  # keeps the chance of the reference apart from that of steps


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """Patches of a run.

    Attributes
    ----------
    recipe : Recipe
    stored : list of (weight, patches)
        Training patches in files, per kind of source.
    validation : list of Patch
    told : str
        The data in a sentence, for the model's spec.
    """

    recipe: Recipe
    stored: list[tuple[float, list[LabelledPatch]]]
    validation: list[Patch]
    told: str

    def source(self, stage: Stage) -> PatchSource:
        """Return where a stage's patches come from."""
        recipe, balance = self.recipe, self.recipe.schedule.balance
        pairs: list[tuple[float, PatchSource]] = [
            (weight, FixedSource(patches, balance)) for weight, patches in self.stored
        ]
        phantoms = recipe.data.phantoms
        if phantoms is not None:
            blocks = phantom_blocks(recipe, "train", stage.size_px)
            pairs.append((phantoms.weight, PhantomSource(blocks, stage.batch, balance)))
        return pairs[0][1] if len(pairs) == 1 else MixedSource([s for _, s in pairs], [w for w, _ in pairs])

    def seen(self, source: PatchSource, stage: Stage, step: int, count: int) -> list[Patch]:
        """Return up to ``count`` patches, at the model's size, of those that training saw about a step.

        They are in the source's pool already, unless the stage trained at another size.

        Parameters
        ----------
        source : PatchSource
            Of the stage.
        stage : Stage
        step : int
            Of the stage, from 0.
        count : int
        """
        size_px = self.recipe.plan.size_px
        if (stage.size_px or size_px) != size_px:
            stage = stage.model_copy(update={"size_px": size_px})
            source = self.source(stage)
        rng = np.random.default_rng([self.recipe.seed, SEEN, step])
        found = source.batch(step, count, rng)
        return list({hashlib.sha256(patch.pixels.tobytes()).digest(): patch for patch in found}.values())


def phantom_blocks(
    recipe: Recipe, split: str, size_px: int | None = None, *, counted_only: bool = False
) -> PhantomBlocks:
    """Return the phantom blocks of a split, at the model's size unless another is given."""
    if recipe.data.phantoms is None:
        raise ValueError("the recipe has no phantoms")
    plan = recipe.plan
    return PhantomBlocks(
        task=recipe.task, wishes=recipe.data.phantoms, seed=recipe.seed, size_px=size_px or plan.size_px,
        um_per_px=plan.um_per_px, split=split, counted_only=counted_only,
    )  # fmt: skip


def phantom_patches(blocks: PhantomBlocks, count: int, first: int = 0) -> Iterator[Patch]:
    """Draw ``count`` patches from as many scenes as it takes, two of each scene at most."""
    index = first
    while count > 0:
        patches = blocks.patches(index)
        order = np.random.default_rng([blocks.seed, index]).permutation(len(patches))
        for k in order[: min(2, count)]:
            count -= 1
            yield patches[k]
        index += 1


def prepare(recipe: Recipe) -> Steps[TrainingData]:
    """Find, split and check the patches in files, and draw the phantoms of validation.

    Raises
    ------
    UsageError
        If there is too little, or a case or a picture stands in two splits.
    """
    started = time.monotonic()
    stored, validation, told = [], [], []
    for weight, patches, words in _stored(recipe):
        splits = split_cases([patch.case for patch in patches], recipe.data.validation_share, recipe.seed)
        parts = {name: [p for p in patches if splits[p.case] == name] for name in ("train", "validation")}
        check_no_leak(
            {
                name: [(p.name, p.case, fingerprint(p.read().pixels)) for p in part]
                for name, part in parts.items()
            }
        )
        stored.append((weight, parts["train"]))
        validation += [patch.read() for patch in parts["validation"]]
        told.append(words)
    phantoms = recipe.data.phantoms
    if phantoms is not None:
        for done, patch in enumerate(
            phantom_patches(phantom_blocks(recipe, "validation"), phantoms.validation), 1
        ):
            validation.append(patch)
            yield Progress("draw validation", done, phantoms.validation, "patches")
        told.append(f"synthetic tissue of napari-her2 phantom, drawn on the fly, seed {recipe.seed}")
    yield StageDone("data", time.monotonic() - started)
    return TrainingData(recipe, stored, validation, "; ".join(told))


def _stored(recipe: Recipe) -> Iterator[tuple[float, list[LabelledPatch], str]]:
    data = recipe.data
    if data.patches is not None:
        patches = labelled_patches(data.patches, recipe)
        cases = len({patch.case for patch in patches})
        yield data.patches.weight, list(patches), f"{len(patches)} labelled patches of {cases} cases"
    if data.cases is not None:
        places = case_patches(data.cases, recipe)
        told = f"{len(places)} patches of {len(data.cases.folders)} annotated cases"
        yield data.cases.weight, list(places), told
