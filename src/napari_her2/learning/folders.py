"""Patches that lie as pictures in folders: one sub-folder per class, or a table patch,case,label."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.errors import UsageError
from napari_her2.learning.patch import Patch, truth_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_her2.learning.recipe import LabelledPatches, Recipe, TaskName

__all__ = ["FilePatch", "labelled_patches"]

PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})
COLUMNS: Final = {"patch", "case", "label"}


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
        pixels = _picture(self.path, self.size_px)
        if isinstance(self.label, Path):
            labels = np.ascontiguousarray(_picture(self.label, self.size_px)[..., 0])
            truth = truth_of(self.task).of_labels(labels)
            if truth is None:
                raise UsageError(f"{self.label.name} leaves too much unknown: leave the patch out")
            return Patch(pixels=pixels, target=truth[0], labels=labels, kind=truth[1], case=self.case)
        target, kind = truth_of(self.task).of_class(self.label)
        return Patch(pixels=pixels, target=target, labels=None, kind=kind, case=self.case)


def _picture(path: Path, size_px: int) -> NDArray[np.uint8]:
    import cv2

    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread knows no names beyond ASCII on some systems
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read ({error.strerror}): correct the data") from error
    found = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if found is None:
        raise UsageError(f"{path.name} is no picture that can be read: leave it out or convert it to PNG")
    if found.shape[:2] != (size_px, size_px):
        raise UsageError(
            f"{path.name} has {found.shape[1]} x {found.shape[0]} px, the model sees {size_px} x {size_px}: "
            "cut the patches to that size at the model's µm/px"
        )
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB))


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
    rows = _of_folders(wishes.folder) if wishes.table is None else _of_table(wishes.table, wishes.folder)
    patches = [_patch(path, case, label, recipe) for path, case, label in rows]
    if not patches:
        raise UsageError(f"{wishes.folder.name} holds no pictures: give one sub-folder per class, or a table")
    return patches


def _patch(path: Path, case: str, label: str, recipe: Recipe) -> FilePatch:
    plan = recipe.plan
    if recipe.task == "segment":
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


def _of_folders(folder: Path) -> Iterator[tuple[Path, str, str]]:
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() in PICTURES:
            yield path, path.stem.partition("_")[0], path.parent.name


def _of_table(table: Path, folder: Path) -> Iterator[tuple[Path, str, str]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not set(reader.fieldnames or ()) >= COLUMNS:
                raise UsageError(f"{table.name} lacks columns: it needs patch,case,label")
            rows = [(row["patch"] or "", row["case"] or "", row["label"] or "") for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{table.name} cannot be read as CSV: correct patches.table in the recipe"
        ) from error
    for patch, case, label in rows:
        if not (patch and case):
            raise UsageError(f"{table.name} has a row without patch or case: every patch needs its case")
        yield folder / patch, case, label
