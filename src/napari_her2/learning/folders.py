"""Patches that lie as pictures in folders: one sub-folder per class, or a table patch,case,label."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.errors import UsageError
from napari_her2.learning.patch import Patch, truth_of
from napari_her2.learning.pictures import in_sub_folders, in_table, read_picture

if TYPE_CHECKING:
    from napari_her2.learning.recipe import LabelledPatches, Recipe, TaskName

__all__ = ["FilePatch", "labelled_patches"]


@dataclass(frozen=True, slots=True)
class FilePatch:
    """A picture with its class, or with a picture of labels for the segmenter.

    Attributes
    ----------
    path : Path
    case : str
    label : int or Path
        Index of the class, or the picture of labels.
    task : str
    size_px : int
        What its sides must be.
    kind : int
        For balance.
    """

    path: Path
    case: str
    label: int | Path
    task: TaskName
    size_px: int
    kind: int

    @property
    def name(self) -> str:
        """File name."""
        return self.path.name

    def read(self) -> Patch:
        """Read the picture.

        Raises
        ------
        UsageError
            If it is none, or of another size.
        """
        pixels = read_picture(self.path, self.size_px)
        if isinstance(self.label, Path):
            labels = np.ascontiguousarray(read_picture(self.label, self.size_px)[..., 0])
            truth = truth_of(self.task).of_labels(labels)
            if truth is None:
                raise UsageError(f"{self.label.name} leaves too much unknown: leave the patch out")
            return Patch(pixels=pixels, target=truth[0], labels=labels, kind=truth[1], case=self.case)
        target, kind = truth_of(self.task).of_class(self.label)
        return Patch(pixels=pixels, target=target, labels=None, kind=kind, case=self.case)


def labelled_patches(wishes: LabelledPatches, recipe: Recipe) -> list[FilePatch]:
    """List the patches of a folder.

    Raises
    ------
    UsageError
        If the folder or table is missing or empty, or a class is unknown.
    """
    if not wishes.folder.is_dir():
        raise UsageError(
            f"{wishes.folder.name} is no folder of patches: correct patches.folder in the recipe"
        )
    rows = in_sub_folders(wishes.folder) if wishes.table is None else in_table(wishes.table, wishes.folder)
    patches = [_patch(path, case, label, recipe) for path, case, label in rows]
    if not patches:
        raise UsageError(f"{wishes.folder.name} holds no pictures: give one sub-folder per class, or a table")
    return patches


def _patch(path: Path, case: str, label: str, recipe: Recipe) -> FilePatch:
    plan = recipe.plan
    if plan.task == "segment":
        labels = path.parent / label
        if not label or not labels.is_file():
            raise UsageError(
                f"{path.name} has no picture of labels {label!r}: the segmenter learns from a table "
                "patch,case,label whose labels are PNG files"
            )
        return FilePatch(path, case, labels, recipe.task, plan.size_px, 0)
    if label not in plan.classes:
        raise UsageError(f"{path.name} has the class {label!r}: name it one of {', '.join(plan.classes)}")
    index = plan.classes.index(label)
    return FilePatch(path, case, index, recipe.task, plan.size_px, truth_of(recipe.task).of_class(index)[1])
