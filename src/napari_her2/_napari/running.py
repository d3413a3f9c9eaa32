"""From the session to a run of the pipeline; executed on a background thread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_her2._napari.case_view import CaseView, load_case
from napari_her2._napari.preferences import Preferences
from napari_her2._napari.preparing import Prepared, prepare
from napari_her2._napari.roi import on_one_slide, write_rings

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2._napari.roi import Ring
    from napari_her2._napari.session import OpenSlide, RunSettings, SlideRole
    from napari_her2.events import Steps
    from napari_her2.mapping import Landmarks, SlideMapping
    from napari_her2.pipeline import CaseRequest, Wishes

__all__ = ["CaseRun"]

DRAWN = "tumour_drawn.geojson"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaseRun:
    """One run, with all that it needs; calling it gives the generator of events.

    Attributes
    ----------
    ihc : OpenSlide
    he : OpenSlide or None
    folder : Path
        Of the case.
    settings : RunSettings
    rings : tuple of Ring
        Tumour area that a person drew; empty means the program's proposal.
    preferences : Preferences
    mapping : SlideMapping or None
        As far as it is known; carries areas that were drawn on both slides to one of them.
    landmarks : Landmarks or None
        Pairs that a person set; empty takes back those of an earlier run, None leaves them.
    """

    ihc: OpenSlide
    he: OpenSlide | None
    folder: Path
    settings: RunSettings
    rings: tuple[Ring, ...]
    preferences: Preferences
    mapping: SlideMapping | None = None
    landmarks: Landmarks | None = None

    def __call__(self) -> Steps[CaseView]:
        """Score the case and read it back for the window."""
        from napari_her2.pipeline import score_case
        from napari_her2.store import writable_folder

        writable_folder(self.folder, "the field Case folder")
        yield from score_case(self.request())
        return (yield from load_case(self.folder, cell_limit=self.preferences.cell_limit))

    def prepare(self) -> Steps[Prepared]:
        """Bring the slides together and propose the tumour area."""
        from napari_her2.store import writable_folder

        writable_folder(self.folder, "the field Case folder")
        return (yield from prepare(self.request()))

    def request(self) -> CaseRequest:
        """Return what the pipeline is asked for; the drawn area is written into the case first."""
        from napari_her2.pipeline import CaseRequest, Wishes

        recipe = Wishes(
            um_per_px_ihc=self.ihc.given_um_per_px,
            um_per_px_he=None if self.he is None else self.he.given_um_per_px,
            **{f"white_{role}": white for role, white in self._whites().items() if white != "slide"},
            rule=self.settings.rule,
            roi=self._roi(),
            landmarks=self._landmarks(),
            ish=dict(self.settings.ish) or None,
            pieces=dict(self.settings.pieces) or None,
            specimen=dict(self.settings.specimen) or None,
            engine=self.settings.engine,
        )
        return CaseRequest(
            ihc=self.ihc.path,
            he=None if self.he is None else self.he.path,
            out=self.folder,
            recipe=recipe,
            options=Wishes() if self.settings.corrections else Wishes(corrections=False),
            preferences=self._preferences(),
            restart=self.settings.restart,
            spare_cores=1,
            forget=self._forgotten(),
        )

    def _forgotten(self) -> tuple[str, ...]:
        """Return what an earlier run was given and a person took back."""
        no_pairs = self.landmarks is not None and not len(self.landmarks)
        found = tuple(f"white_{role}" for role, white in self._whites().items() if white == "slide")
        return (*("landmarks",) * no_pairs, *("roi",) * self.settings.forget_area, *found)

    def _whites(self) -> dict[str, Any]:
        """Return what the person picked for each slide, or took back."""
        slides = {"ihc": self.ihc, "he": self.he}
        return {role: slide.white for role, slide in slides.items() if slide is not None}

    def _preferences(self) -> Wishes:
        """Return the user's preferences: napari's where they were changed, else those of the file."""
        from napari_her2.pipeline import read_preferences

        wishes, default = read_preferences(), Preferences()
        changed = {
            name: getattr(self.preferences, name)
            for name in ("device", "min_cells")
            if getattr(self.preferences, name) != getattr(default, name)
        }
        return replace(wishes, **changed)

    def _landmarks(self) -> Path | None:
        """Write the pairs into the case, from where the run takes them."""
        if self.he is None or self.landmarks is None or not len(self.landmarks):
            return None
        from napari_her2._napari.refitting import landmarks_file
        from napari_her2.mapping import write_landmarks
        from napari_her2.store import writable_folder

        path = landmarks_file(self.folder)
        writable_folder(path.parent, "the case's folder")
        write_landmarks(self.landmarks, path)
        return path

    def _roi(self) -> Path | None:
        if not any(ring.counts for ring in self.rings):
            return None
        sizes: dict[SlideRole, float] = {"ihc": self.ihc.um_per_px or 1.0}
        if self.he is not None:
            sizes["he"] = self.he.um_per_px or 1.0
        path = self.folder / DRAWN
        before = path.read_bytes() if path.is_file() else b""
        write_rings(path, on_one_slide(self.rings, self.mapping), sizes)
        if path.read_bytes() != before:
            self._log_area()
        return path

    def _log_area(self) -> None:
        """Note who drew or confirmed the tumour area, and when."""
        from napari_her2.review import ReviewLog

        counted = [ring for ring in self.rings if ring.counts]
        after = {"areas": len(counted), "left_out": len(self.rings) - len(counted)}
        log = ReviewLog(self.folder / "review.jsonl", self.preferences.reader)
        log.append({"act": "tumour_area", "after": after})
