"""A model of pixels over a slide, stitched into a raster while it runs; a kill costs one batch.

What a later run needs lies in a folder of unfinished work: the raster so far, ``bands.json`` with the row
of patches it reaches to, and for each row after that (and those that overlap it) a journal of the pooled
answers. Answers are kept in steps of 1/255 and blended from there, so that a run that was stopped blends the
same numbers in the same order.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.events import Progress
from napari_her2.inference import Agenda, BatchDone
from napari_her2.pipeline.bands import Bands
from napari_her2.pipeline.engine import BACKGROUND
from napari_her2.pipeline.features import keeping_features
from napari_her2.pipeline.keeping import work_key
from napari_her2.pipeline.rasters import LABELS
from napari_her2.store import (
    FolderLock,
    Journal,
    LiveRaster,
    open_own_folder,
    read_journal,
    read_json,
    writable_folder,
    write_json,
)
from napari_her2.vocabulary import RASTER_LABELS, SCORES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.inference import Sample
    from napari_her2.models import ModelSpec
    from napari_her2.pipeline.asking import Asking
    from napari_her2.pipeline.bands import Band

__all__ = ["Segmented", "Within", "write_segmentation"]

SCHEMA: Final = "napari-her2/segmenting/2"
SIZES: Final = struct.Struct("<III")


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """The area that counts, as masks of their own pixel size from the slide's corner on.

    Attributes
    ----------
    mask : bool ndarray
        What counts.
    unsure : bool ndarray
        What is looked at as well: its classes are counted apart.
    um_per_px : float
    """

    mask: NDArray[np.bool_]
    unsure: NDArray[np.bool_]
    um_per_px: float

    def digest(self) -> str:
        """Return a key of the area."""
        masks = np.packbits(self.mask).tobytes() + np.packbits(self.unsure).tobytes()
        return hashlib.sha256(masks + repr((self.mask.shape, self.um_per_px)).encode()).hexdigest()

    def judged(
        self, labels: NDArray[np.uint8], row: int, col: int, um_per_px: float
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Mark classes that do not count as such, in a block whose corner is raster pixel (row, col).

        Returns
        -------
        tuple of uint8 ndarray and int64 ndarray of shape (256,)
            Labels, and how many pixels of each class lie in the unsure part.
        """
        scale = um_per_px / self.um_per_px
        at_row, at_col = (
            np.minimum(((np.arange(n) + start + 0.5) * scale).astype(np.intp), limit - 1)
            for n, start, limit in zip(labels.shape, (row, col), self.mask.shape, strict=True)
        )
        counts, unsure = (part[np.ix_(at_row, at_col)] for part in (self.mask, self.unsure))
        in_doubt = np.bincount(labels[unsure], minlength=256)
        return np.where(counts | (labels == 0), labels, np.uint8(RASTER_LABELS["unsure"])), in_doubt


@dataclass(frozen=True, slots=True, eq=False)
class Segmented:
    """What a raster of pixels holds.

    Attributes
    ----------
    pixels, unsure : int64 ndarray of shape (256,)
        Raster pixels of each value, and those of the unsure part by the class the model gave them.
    um_per_px : float
        Of the raster.
    """

    pixels: NDArray[np.int64]
    unsure: NDArray[np.int64]
    um_per_px: float


def write_segmentation(
    asking: Asking,
    path: Path,
    *,
    stage: str,
    place: Path,
    within: Within | None = None,
    sample: Sample | None = None,
) -> Steps[Segmented]:
    """Run a model of pixels and write the most probable class of each, about 0.5 µm/px.

    Parameters
    ----------
    asking : Asking
    path : Path
        Of the raster; it appears when it is whole.
    stage : str
        For progress.
    place : Path
        Folder of unfinished work; the raster can be looked at there while it grows.
    within : Within, optional
        Classes outside are marked as excluded.
    sample : Sample, optional
        Of patches whose features are kept as well.

    Raises
    ------
    Her2Error
        If the model fails, a tile cannot be read, or the disk is full; what was done is kept.
    """
    plan, bands = asking.plan, Bands(asking.plan.grid, asking.entry.spec)
    key = work_key(asking, within="" if within is None else within.digest())
    with (
        _Work(place, path.name, key, bands, asking.entry.spec, within) as work,
        keeping_features(place, sample) as keep,
    ):
        done = work.taken_up()
        rest = plan.cells[~done[plan.cells[:, 0], plan.cells[:, 1]]]
        before = len(plan) - len(rest)
        if before:
            yield Progress(stage, before, len(plan), "patches")
        for event in asking.batches(stage, Agenda(rest, done=before), sample):
            if isinstance(event, BatchDone):
                keep(event)
                work.add(event.cells, event.probabilities)
            else:
                yield event
        work.finish(path)
        return Segmented(work.pixels, work.unsure, bands.um_per_px)


def _labels(spec: ModelSpec) -> dict[int, tuple[str, str]]:
    """Names and colours of the values: those of the scores, or greys for other classes."""
    if spec.classes == (BACKGROUND, *SCORES):
        return LABELS
    greys = (230 - round(200 * k / len(spec.classes)) for k in range(len(spec.classes)))
    return {
        k: (name, f"#{g:02X}{g:02X}{g:02X}")
        for k, (name, g) in enumerate(zip(spec.classes, greys, strict=True))
    }


class _Work:
    """Unfinished work in its folder: what is out, and what is needed to go on.

    Attributes
    ----------
    pixels, unsure : int64 ndarray of shape (256,)
        Of each value, in the bands that are out; of each class in the unsure part.
    """

    def __init__(
        self, place: Path, name: str, key: str, bands: Bands, spec: ModelSpec, within: Within | None
    ) -> None:
        self._place, self._name, self._key, self._bands = place, name, key, bands
        self._spec, self._within = spec, within
        self.pixels, self.unsure = np.zeros((2, 256), np.int64)
        self._out = 0
        self._log: tuple[int, Journal] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            writable_folder(self._place)
            stack.enter_context(FolderLock(self._place / "lock", self._place.absolute().parent.name))
            old = open_own_folder(self._place, {"schema": SCHEMA, "key": self._key})
            old = old and self._reached.is_file()
            self._raster = LiveRaster(
                self._place / self._name,
                self._bands.shape,
                um_per_px=self._bands.um_per_px,
                labels=_labels(self._spec),
                attributes={"slide": self._spec.stain, "method": self._spec.name},
                fresh=not old,
            )
            self._read() if old else self._checkpoint()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            self._close()

    @property
    def _reached(self) -> Path:
        return self._place / "bands.json"

    def _read(self) -> None:
        said = read_json(self._reached)
        try:
            self._out = int(said["row"])
            self.pixels, self.unsure = (np.array(said[name], np.int64) for name in ("pixels", "unsure"))
        except (KeyError, TypeError, ValueError) as error:
            raise CaseError(
                f"{self._place.name} is damaged (bands.json): remove the folder and run again"
            ) from error

    def _logs(self) -> dict[int, Path]:
        """Journals by row of patches."""
        return {int(path.stem): path for path in sorted(self._place.glob("rows/*.log"))}

    def taken_up(self) -> NDArray[np.bool_]:
        """Blend again what is not out yet; say which patches are done, by place in the grid."""
        done = np.zeros(self._bands.grid.shape, bool)
        done[: self._out] = True
        self._bands.begin(max(self._out - self._bands.reach, 0))
        for row, path in self._logs().items():
            for data, _ in read_journal(path):
                for col, patch in _unpacked(data, len(self._spec.classes)):
                    done[row, col] = True
                    self._blend(row, col, patch)
        return done

    def add(self, cells: NDArray[np.int64], answers: NDArray[np.float32]) -> None:
        """Keep answers (n, classes, size_px, size_px) of cells (n, 2), row by row, and blend them in."""
        for row in np.unique(cells[:, 0]).tolist():
            chosen = np.flatnonzero(cells[:, 0] == row)
            patches = [self._bands.pooled(answers[k]) for k in chosen]
            self._journal(row).append(_packed(cells[chosen, 1], patches))
            for col, patch in zip(cells[chosen, 1].tolist(), patches, strict=True):
                self._blend(row, col, patch)

    def _journal(self, row: int) -> Journal:
        if self._log is None or self._log[0] != row:
            self._close()
            journal = Journal(self._place / "rows" / f"{row:06d}.log", self._place).__enter__()
            self._log = row, journal
        return self._log[1]

    def _close(self) -> None:
        if self._log is not None:
            self._log[1].__exit__(None, None, None)
            self._log = None

    def _blend(self, row: int, col: int, patch: NDArray[np.uint8]) -> None:
        self._write(self._bands.add(row, col, patch))
        if self._bands.row > self._out:
            self._out = self._bands.row
            self._checkpoint()

    def _write(self, bands: Iterator[Band]) -> None:
        """Write bands that are whole, but for those that were out before."""
        for row, col, labels in bands:
            if row < self._bands.top(self._out):
                continue
            if self._within is not None:
                labels, unsure = self._within.judged(labels, row, col, self._bands.um_per_px)
                self.unsure += unsure
            self._raster.write(row, col, labels)
            self.pixels += np.bincount(labels.ravel(), minlength=256)

    def _checkpoint(self) -> None:
        """Note on the disk how far the raster reaches, then drop the journals that nobody needs any more."""
        self._raster.sync()
        counts = {"pixels": self.pixels.tolist(), "unsure": self.unsure.tolist()}
        write_json(self._reached, {"row": self._out, **counts})
        for row, path in self._logs().items():
            if row < self._out - self._bands.reach:
                path.unlink()

    def finish(self, path: Path) -> None:
        """Write the last band and put the raster in its place."""
        self._write(self._bands.rest())
        self._raster.finish(path)


def _packed(cols: NDArray[np.int64], patches: list[NDArray[np.uint8]]) -> bytes:
    head = SIZES.pack(len(cols), patches[0].shape[1], patches[0].shape[2])
    return head + cols.astype("<i4").tobytes() + zlib.compress(np.stack(patches).tobytes(), 1)


def _unpacked(data: bytes, classes: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    n, rows, cols = SIZES.unpack_from(data)
    start = SIZES.size + 4 * n
    at = np.frombuffer(data, "<i4", n, SIZES.size)
    patches = np.frombuffer(zlib.decompress(data[start:]), np.uint8).reshape(n, classes, rows, cols)
    yield from zip(at.tolist(), patches, strict=True)
