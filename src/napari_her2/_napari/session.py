"""What the person sees and chose: the one evented state that panel, canvas and controller share. No Qt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from psygnal import SignalGroupDescriptor

from napari_her2._napari.progress import RunProgress

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2._napari.case_view import CaseView
    from napari_her2._napari.live import LiveScore
    from napari_her2._napari.placing import Arrangement
    from napari_her2._napari.preparing import Prepared
    from napari_her2._napari.pyramid import TilePyramid
    from napari_her2._napari.refitting import Refit
    from napari_her2.case import WorklistCase
    from napari_her2.mapping import SlideMapping

__all__ = [
    "Activity",
    "EngineChoice",
    "Message",
    "OpenSlide",
    "RunSettings",
    "Session",
    "SlideRole",
    "Tool",
    "Tumour",
]

SlideRole = Literal["he", "ihc"]
Activity = Literal["idle", "opening", "aligning", "running"]
Tool = Literal["", "pairs", "ruler", "draw"]
"""What the mouse does on the canvas besides moving the slide."""

WhiteChoice = tuple[float, float, float] | Literal["slide"] | None
EngineChoice = Literal["auto", "classical", "transformer"]

STAIN_WORDS = {"he": "looks like H&E", "ihc": "looks like IHC", "unknown": "stain not recognised"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenSlide:
    """A slide that was opened for the window.

    Attributes
    ----------
    path : Path
    name : str
        File name.
    shape : tuple of int
        (rows, cols) of level 0.
    stated_um_per_px : float or None
        What the file says.
    given_um_per_px : float or None
        What the person typed.
    white : (red, green, blue), "slide" or None
        Picked by the person, taken back by them, or never spoken of.
    stain : str
        Guess from the thumbnail: ``he``, ``ihc`` or ``unknown``.
    picture : bool
        A plain picture, no pyramid.
    pyramid : TilePyramid
        Its pixels on the screen.
    """

    path: Path
    name: str
    shape: tuple[int, int]
    stated_um_per_px: float | None
    given_um_per_px: float | None = None
    white: WhiteChoice = None
    stain: str = "unknown"
    picture: bool = False
    pyramid: TilePyramid

    @property
    def um_per_px(self) -> float | None:
        """Pixel size in use."""
        return self.given_um_per_px if self.given_um_per_px is not None else self.stated_um_per_px

    @property
    def size_um(self) -> tuple[float, float]:
        """Height and width in µm (in pixels while the pixel size is unknown)."""
        um = self.um_per_px or 1.0
        return self.shape[0] * um, self.shape[1] * um

    @property
    def facts(self) -> str:
        """One line: size, pixel size, stain."""
        um = self.um_per_px
        size = f"{self.shape[1]:,} x {self.shape[0]:,} px"
        pixel = "pixel size unknown" if um is None else f"{um:.4g} µm/px"
        return f"{size} · {pixel} · {STAIN_WORDS[self.stain]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What a run is asked for besides the slides."""

    rule: str = "asco-cap-breast-2023"
    case_folder: Path | None = None
    restart: bool = False
    engine: EngineChoice | None = None
    specimen: tuple[tuple[str, Any], ...] = ()
    ish: tuple[tuple[str, Any], ...] = ()
    pieces: tuple[tuple[str, str], ...] = ()
    corrections: bool = True
    forget_area: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tumour:
    """The tumour area that a person drew or confirmed; without rings the program's proposal is taken.

    Attributes
    ----------
    rings : int
        How many areas of invasive tumour.
    left_out : int
        How many areas of carcinoma in situ or necrosis.
    mm2 : float
        Invasive area less what is left out.
    """

    rings: int = 0
    left_out: int = 0
    mm2: float = 0.0


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence for the person."""

    text: str
    kind: Literal["info", "warning", "error"] = "info"


@dataclass
class Session:
    """State of one panel; every change of a field emits ``events.<field>``.

    ``circle_um`` is the diameter of the field that is counted under the cursor; 0 counts what is in view.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    he: OpenSlide | None = None
    ihc: OpenSlide | None = None
    settings: RunSettings = field(default_factory=RunSettings)
    tumour: Tumour = field(default_factory=Tumour)
    activity: Activity = "idle"
    progress: RunProgress = field(default_factory=RunProgress)
    prepared: Prepared | None = None
    refit: Refit | None = None
    result: CaseView | None = None
    cases: tuple[WorklistCase, ...] = ()
    case_name: str | None = None
    reader: str = ""
    message: Message | None = None
    arrangement: Arrangement = "side"
    blend: float = 1.0
    tool: Tool = ""
    circle_um: float = 0.0
    picking_white: SlideRole | None = None

    signed: str = ""
    live: LiveScore | None = None
    blind: bool = False
    unread: CaseView | None = None
    field: int | None = None

    @property
    def mapping(self) -> SlideMapping | None:
        """H&E to IHC, once it is known; through the pairs that a person set."""
        if self.refit is not None:
            return self.refit.mapping
        if self.result is not None and self.result.mapping is not None:
            return self.result.mapping
        return None if self.prepared is None else self.prepared.mapping

    @property
    def outlines(self) -> dict[str, tuple[Any, ...]]:
        """Rings of the tumour area by slide, proposed or scored, in that slide's µm."""
        if self.refit is not None:
            return self.refit.outlines
        if self.result is not None:
            return self.result.outlines
        return {} if self.prepared is None else self.prepared.outlines

    @property
    def outdated(self) -> bool:
        """Whether the alignment was changed after the case was scored with it."""
        return self.result is not None and self.refit is not None and self.refit.changed

    @property
    def area_unscored(self) -> bool:
        """Whether a person gave a tumour area after a score that had none."""
        return self.result is not None and self.result.report.provisional and self.tumour.rings > 0

    @property
    def finished(self) -> CaseView | None:
        """The finished case, shown or hidden."""
        return self.result if self.result is not None else self.unread

    @property
    def area_kept(self) -> bool:
        """Whether the case remembers a tumour area of a person, which the next run takes again."""
        if self.result is None or self.tumour.rings or self.settings.forget_area:
            return False
        roi = self.result.report.provenance.settings.get("roi") or {}
        return bool(roi.get("value"))

    @property
    def busy(self) -> bool:
        """Whether something runs in the background."""
        return self.activity != "idle"

    @property
    def why_not(self) -> str | None:
        """Why scoring cannot start now, in one sentence; None where it can."""
        if self.busy:
            return "Something is running already."
        if self.ihc is None:
            return "Open an IHC slide or picture, with its H&E neighbour if there is one."
        for slide in (self.ihc, self.he):
            if slide is not None and slide.um_per_px is None:
                return f"{slide.name} states no pixel size: type it in µm/px, e.g. 0.25 for a 40x scan."
        return None
