"""An alignment that a person corrects by pairs of points: bent anew, kept in the case, read again. No Qt.

In the case's ``edits``: ``landmarks.csv``, the alignment through them (``mapping.json``), and the one that
was made without them, from which each correction starts and by which each pair is judged when left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.errors import MappingError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2._napari.preparing import Rings
    from napari_her2._napari.session import SlideRole
    from napari_her2.case import CaseBundle
    from napari_her2.events import Steps
    from napari_her2.mapping import Landmarks, SlideMapping

__all__ = ["Ground", "Refit", "bend", "bend_and_keep", "keep", "kept_pairs", "landmarks_file", "restored"]

WITHOUT: Final = "mapping_without_landmarks.json"
THROUGH: Final = "mapping.json"
SAME_PX: Final = 2e-3
"""Pairs closer than this are the same: the CSV keeps three digits."""
ODD: Final = 5.0
ODD_UM: Final = 10.0
ODD_FROM: Final = 4
"""Of four pairs on, one is odd that is off by five times the median of all, and by more than a nucleus."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """What the open results rest on.

    Attributes
    ----------
    mapping : SlideMapping
        With which they were made.
    used : Landmarks
        Pairs that this alignment was made through.
    base : SlideMapping
        The alignment without any pair, as far as it is known; else ``mapping``.
    outlines : dict of str to tuple of ndarray of shape (n, 2)
        Rings of the tumour area by slide, µm.
    source : {"he", "ihc"}
        Slide that the outlines were found on: there they stay, on the other one they follow the alignment.
    """

    mapping: SlideMapping
    used: Landmarks
    base: SlideMapping
    outlines: Rings = field(default_factory=dict)
    source: SlideRole = "he"

    @property
    def judged(self) -> bool:
        """Whether the errors of left-out pairs are honest: the alignment without the pairs is known."""
        return not len(self.used) or self.base is not self.mapping


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refit:
    """The alignment through a person's pairs.

    Attributes
    ----------
    ground : Ground
    landmarks : Landmarks
    mapping : SlideMapping
    left_out_um : ndarray of shape (n,)
        How far each pair lies from where the others put it.
    outlines : dict of str to tuple of ndarray
        The outlines as they lie now.
    changed : bool
        Whether the results were made with other pairs: they are out of date.
    """

    ground: Ground
    landmarks: Landmarks
    mapping: SlideMapping
    left_out_um: NDArray[np.float64]
    outlines: Rings
    changed: bool

    @property
    def against(self) -> NDArray[np.bool_]:
        """Which pairs the others contradict: off by three stated errors, or by far more than they are."""
        stated = self.ground.base.local_error_um(self.landmarks.he_px, "he")
        odd = max(ODD_UM, ODD * float(np.median(self.left_out_um))) if len(stated) >= ODD_FROM else np.inf
        return np.asarray(self.left_out_um > np.minimum(3 * stated, odd))


def same_pairs(one: Landmarks, other: Landmarks) -> bool:
    """Whether two sets hold the same pairs in the same order."""
    return len(one) == len(other) and all(
        np.allclose(a, b, rtol=0, atol=SAME_PX)
        for a, b in ((one.he_px, other.he_px), (one.ihc_px, other.ihc_px))
    )


def bend(ground: Ground, landmarks: Landmarks) -> Refit:
    """Bend the alignment through the pairs, and let the outlines follow; takes a part of a second."""
    from napari_her2.mapping import leave_one_out_um, refit

    changed = not same_pairs(landmarks, ground.used)
    mapping = refit(ground.base, landmarks) if changed else ground.mapping
    return Refit(
        ground=ground,
        landmarks=landmarks,
        mapping=mapping,
        left_out_um=leave_one_out_um(ground.base, landmarks),
        outlines=_followed(ground, mapping) if changed else ground.outlines,
        changed=changed,
    )


def _followed(ground: Ground, mapping: SlideMapping) -> Rings:
    """Return the outlines, those of the other slide moved as the alignment has moved there."""
    found, other = dict(ground.outlines), "ihc" if ground.source == "he" else "he"
    there, back = mapping.he_to_ihc_um, ground.mapping.ihc_to_he_um
    if other == "he":
        there, back = mapping.ihc_to_he_um, ground.mapping.he_to_ihc_um
    if found.get(other):
        found[other] = tuple(there(back(ring)) for ring in found[other])
    return found


def landmarks_file(folder: Path) -> Path:
    """Return where the pairs of a case lie; a run of the pipeline takes them from there."""
    from napari_her2.case import CaseFiles

    return CaseFiles(folder).edits / "landmarks.csv"


def keep(folder: Path, refit: Refit) -> None:
    """Write the pairs and both alignments into the case; without pairs only that there are none.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    from napari_her2.mapping import write_landmarks
    from napari_her2.store import writable_folder

    pairs = landmarks_file(folder)
    writable_folder(pairs.parent, "the case's folder")
    write_landmarks(refit.landmarks, pairs)
    if not len(refit.landmarks):
        for path in pairs.parent.glob(f"{THROUGH.removesuffix('.json')}.*"):
            path.unlink()
        return
    refit.mapping.save(pairs.parent / THROUGH)
    if refit.ground.judged:
        refit.ground.base.save(pairs.parent / WITHOUT)


def bend_and_keep(ground: Ground, landmarks: Landmarks, folder: Path | None) -> Steps[Refit]:
    """Bend, and write it where a folder is given; for a background thread."""
    yield from ()
    found = bend(ground, landmarks)
    if folder is not None:
        keep(folder, found)
    return found


def kept_pairs(folder: Path, mapping: SlideMapping) -> Landmarks | None:
    """Return the pairs that a person has set in a case; None where nobody has.

    Raises
    ------
    CaseError
        If the file is damaged, or its pairs lie off these slides.
    """
    from napari_her2.mapping import Landmarks, read_landmarks

    path = landmarks_file(folder)
    if not path.is_file():
        return None
    if len(path.read_text(encoding="utf-8").splitlines()) < 2:
        return Landmarks.of()
    return read_landmarks(path, he_shape=mapping.he.shape, ihc_shape=mapping.ihc.shape)


def restored(
    folder: Path, mapping: SlideMapping, used: Landmarks | None, *, outlines: Rings, source: SlideRole
) -> Refit | None:
    """Return what a person has made of an alignment; None where there are no pairs.

    Parameters
    ----------
    folder : Path
        Of the case.
    mapping : SlideMapping
        With which its results were made.
    used : Landmarks or None
        The pairs it was made through.
    outlines, source
        See :class:`Ground`.

    Raises
    ------
    CaseError
        If the pairs cannot be read.
    """
    from napari_her2.mapping import Landmarks

    pairs = kept_pairs(folder, mapping)
    if pairs is None and used is None:
        return None
    through = used if used is not None else Landmarks.of()
    ground = Ground(mapping=mapping, used=through, base=mapping, outlines=outlines, source=source)
    if len(through):
        ground = replace(ground, base=_without(folder, mapping))
    now = through if pairs is None else pairs
    return bend(ground, now) if len(now) or len(through) else None


def _without(folder: Path, mapping: SlideMapping) -> SlideMapping:
    """Return the alignment that was made without pairs, if it is of these slides; else the present one."""
    from napari_her2.mapping import load_mapping

    try:
        found = load_mapping(landmarks_file(folder).parent / WITHOUT)
    except MappingError:
        return mapping
    return found if (found.he, found.ihc) == (mapping.he, mapping.ihc) else mapping


def used_in(bundle: CaseBundle, mapping: SlideMapping | None) -> Landmarks | None:
    """Return the pairs that a finished case was aligned with."""
    from napari_her2.mapping import read_landmarks

    setting = bundle.report.provenance.settings.get("landmarks") or {}
    name = setting.get("value")
    path = None if name is None else bundle.files.inputs / str(name)
    if mapping is None or path is None or not path.is_file():
        return None
    return read_landmarks(path, he_shape=mapping.he.shape, ihc_shape=mapping.ihc.shape)
