"""Labelled patches to measure a model on: pictures in folders, or phantoms that training never draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.errors import InferenceError, UsageError
from napari_her2.events import Progress
from napari_her2.learning.evaluation.predictions import MaskTallies, Predictions
from napari_her2.learning.patch import HE_CODES
from napari_her2.learning.pictures import in_sub_folders, in_table, read_picture
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.learning.recipe import TaskName
    from napari_her2.models import ModelSpec, PatchModel

__all__ = ["MIXED", "FolderPatch", "Sample", "folder_samples", "phantom_samples", "phantom_task", "run_model"]

TABLE: Final = "patches.csv"
MIXED: Final = "mixed"
"""Group of patches whose truth is no clear case: they are measured apart."""
KINDS: Final = ("other", "lymphoid", "in situ", MIXED, "tumour")
"""Groups of H&E phantom patches by their kind."""
BATCH: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One patch with its truth.

    Attributes
    ----------
    pixels : uint8 ndarray of shape (size_px, size_px, 3)
    truth : int or uint8 ndarray of shape (size_px, size_px)
        Index of the class, or that of every pixel (255 unknown).
    case : str
    group : str
    """

    pixels: NDArray[np.uint8]
    truth: int | NDArray[np.uint8]
    case: str
    group: str = ""


def run_model(
    model: PatchModel, samples: Iterable[Sample], total: int, *, tolerance_um: float = 1.0, batch: int = BATCH
) -> Steps[Predictions | MaskTallies]:
    """Ask a model about every sample; each is read once, so they may be drawn as they are asked for.

    Parameters
    ----------
    model : PatchModel
    samples : iterable of Sample
    total : int
        How many, for progress.
    tolerance_um : float
        Of the boundary F1, for models of pixels.
    batch : int
        Samples asked about at once.

    Raises
    ------
    InferenceError
        If the model fails.
    """
    spec = model.spec
    tallies = MaskTallies(classes=spec.classes, um_per_px=spec.um_per_px, tolerance_um=tolerance_um)
    kept: list[tuple[str, int, str, NDArray[np.float32]]] = []
    done = 0
    for group in _batches(samples, batch):
        answers = _answers(model, np.stack([sample.pixels for sample in group]))
        for sample, answer in zip(group, answers, strict=True):
            if isinstance(sample.truth, np.ndarray):
                tallies.add(sample.case, sample.truth, answer.argmax(axis=0))
            else:
                kept.append((sample.case, sample.truth, sample.group, answer))
        done += len(group)
        yield Progress("evaluate", done, total, "patches")
    return tallies if spec.task == "segment" else _predictions(spec, kept)


def _batches(samples: Iterable[Sample], size: int) -> Iterator[list[Sample]]:
    held: list[Sample] = []
    for sample in samples:
        held.append(sample)
        if len(held) == size:
            yield held
            held = []
    if held:
        yield held


def _answers(model: PatchModel, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    try:
        return model.predict(pixels)
    except RuntimeError as error:
        raise InferenceError(
            f"{model.spec.name} failed on {len(pixels)} patches ({str(error)[:160]}): try --device cpu"
        ) from error


def _predictions(spec: ModelSpec, kept: list[tuple[str, int, str, NDArray[np.float32]]]) -> Predictions:
    p = np.array([answer for *_, answer in kept], np.float64).reshape(-1, len(spec.classes))
    found = Predictions.of(
        spec.classes, [case for case, *_ in kept], [truth for _, truth, *_ in kept], probabilities=p
    )
    return found.grouped([group for _, _, group, _ in kept])


def phantom_samples(spec: ModelSpec, count: int, seed: int = 0) -> Iterator[Sample]:
    """Draw patches of phantoms from seeds that training, validation and references never use.

    A few patches are cut from each scene; a scene is a case.

    Raises
    ------
    UsageError
        If phantoms hold no truth for such a model.
    """
    from napari_her2.learning.data import phantom_patches
    from napari_her2.learning.phantom_data import PhantomBlocks
    from napari_her2.learning.recipe import Phantoms

    task = phantom_task(spec)
    blocks = PhantomBlocks(
        task=task, wishes=Phantoms(), seed=seed, size_px=spec.size_px, um_per_px=spec.um_per_px, split="test"
    )
    for patch in phantom_patches(blocks, count):
        if spec.task == "segment" and patch.labels is not None:
            yield Sample(patch.pixels, patch.labels, patch.case)
        elif task == "tumour":
            truth = int(patch.target.argmax())
            yield Sample(patch.pixels, truth, patch.case, KINDS[patch.kind])
        else:
            yield Sample(
                patch.pixels, int(patch.target.argmax()), patch.case, "clear" if patch.kind % 2 else MIXED
            )


def phantom_task(spec: ModelSpec) -> TaskName:
    """Return what phantoms can teach or test about a model.

    Raises
    ------
    UsageError
        If they hold no truth for it.
    """
    if spec.stain == "he" and spec.task == "classify" and len(spec.classes) == 2:
        return "tumour"
    if spec.stain == "ihc" and spec.task != "segment" and spec.classes == SCORES:
        return "stain"
    if spec.stain == "ihc" and spec.task == "segment" and spec.classes[1:] == SCORES:
        return "segment"
    if spec.stain == "he" and spec.task == "segment" and spec.classes[1:] == tuple(HE_CODES)[1:]:
        return "tissue"
    raise UsageError(f"phantoms hold no truth for {spec.name}: evaluate it on a folder of labelled patches")


@dataclass(frozen=True, slots=True)
class FolderPatch:
    """A picture that is read when it is asked for."""

    path: Path
    case: str
    truth: int | Path
    size_px: int

    def read(self) -> Sample:
        """Read the picture, and that of its labels.

        Raises
        ------
        UsageError
            If it is none, or of another size.
        """
        truth = self.truth if isinstance(self.truth, int) else read_picture(self.truth, self.size_px)[..., 0]
        return Sample(read_picture(self.path, self.size_px), truth, self.case)


def folder_samples(folder: Path, spec: ModelSpec) -> list[FolderPatch]:
    """List labelled patches: one sub-folder per class, or ``patches.csv`` with patch,case,label.

    In sub-folders the case of a patch is the part of its name before the first ``_``. Models of pixels
    need the table; its labels are pictures of class indices, 255 unknown.

    Raises
    ------
    UsageError
        If there is none, or a class is unknown.
    """
    table = folder / TABLE
    rows = in_table(table, folder) if table.is_file() else in_sub_folders(folder)
    codes = {name: k for k, name in enumerate(spec.classes)}
    found = []
    for path, case, label in rows:
        truth: int | Path | None = folder / label if spec.task == "segment" else codes.get(label)
        if truth is None:
            raise UsageError(f"{path.name} has the class {label!r}: name it one of {', '.join(codes)}")
        found.append(FolderPatch(path, case, truth, spec.size_px))
    if not found:
        raise UsageError(f"{folder.name} holds no pictures: give one sub-folder per class, or {TABLE}")
    return found
