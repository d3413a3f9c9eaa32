"""What the case of a slide knows: rasters by models, hashes, the log; nothing where no case was scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_her2._napari.editing_state import Target
from napari_her2._napari.opening import default_case_folder
from napari_her2.errors import Her2Error
from napari_her2.review import ReviewLog

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2._napari.session import OpenSlide, Session, SlideRole
    from napari_her2.case import CaseBundle
    from napari_her2.store import Multiscale

__all__ = ["EditCase", "corrections_folder", "edit_case"]

RASTERS = {"her2": ("segmentation", "her2"), "tumour": ("tumour",)}
"""Rasters that a mask's model labels are taken from, the better first."""


@dataclass(frozen=True, slots=True, eq=False)
class EditCase:
    """The folder that corrections go to, and what lies there.

    Attributes
    ----------
    target : Target
    bundle : CaseBundle or None
        None where the case is not scored (yet).
    log : ReviewLog
    """

    target: Target
    bundle: CaseBundle | None
    log: ReviewLog

    @property
    def areas_file(self) -> Path:
        """Where the areas of this slide are kept."""
        return self.target.folder / "edits" / f"{self.target.role}_areas.jsonl"

    def raster(self, kind: str) -> Multiscale | None:
        """Return the raster of this slide that a kind of mask starts from."""
        for name in RASTERS.get(kind, ()):
            found = self.bundle.raster(name) if self.bundle is not None else None  # type: ignore[arg-type]
            if found is not None and _slide_of(found) == self.target.role:
                return found
        return None

    def outlines_um(self) -> list[Any]:
        """Return the rings of the tumour area on this slide, in µm; empty where none is known."""
        from napari_her2.exchange import read_areas

        if self.bundle is None or not self.bundle.files.annotations.is_file():
            return []
        um, role = self.target.um_per_px, self.target.role
        areas = (a for a in read_areas(self.bundle.files.annotations) if a.name == "Tumor")
        return [ring * um for a in areas if (a.slide or "ihc") == role for ring in (a.outline, *a.holes)]


def _slide_of(raster: Multiscale) -> str:
    ours: Any = raster.metadata.get("napari-her2", {})
    return str(ours.get("slide", "ihc"))


def edit_case(session: Session, role: SlideRole, reader: str, folder: Path | None = None) -> EditCase | None:
    """Return the case that an open slide belongs to; None where that slide is not open or has no pixel size.

    Parameters
    ----------
    session : Session
    role : {"he", "ihc"}
    reader : str
        Who signs.
    folder : Path, optional
        Where corrections go, if not to the case's folder.
    """
    slide: OpenSlide | None = getattr(session, role)
    if slide is None or slide.um_per_px is None:
        return None
    place = folder or _folder(session, slide)
    bundle = _bundle(place)
    known = bundle.slide(role) if bundle is not None else None
    target = Target(
        role=role,
        name=slide.name,
        shape=slide.shape,
        um_per_px=slide.um_per_px,
        pyramid=slide.pyramid,
        folder=place,
        sha256="" if known is None else known.sha256,
    )
    return EditCase(target, bundle, ReviewLog(place / "review.jsonl", reader))


def corrections_folder(session: Session, folder: Path | None = None) -> Path | None:
    """Return the case's folder that corrections go to; None while no slide is open. Reads nothing."""
    slide = session.ihc or session.he
    return folder or (None if slide is None else _folder(session, slide))


def _folder(session: Session, slide: OpenSlide) -> Path:
    if session.result is not None:
        return session.result.folder
    first = session.ihc or slide
    return session.settings.case_folder or default_case_folder(first.path)


def _bundle(folder: Path) -> CaseBundle | None:
    from napari_her2.case import is_case, read_case

    try:
        return read_case(folder) if is_case(folder) else None
    except Her2Error:
        return None
