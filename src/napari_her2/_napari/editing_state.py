"""What a person edits and with what: the evented state of the dock "Correct masks". No Qt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from psygnal import SignalGroupDescriptor

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2._napari.pyramid import TilePyramid
    from napari_her2._napari.session import Message, SlideRole
    from napari_her2.annotation import EditWindow, MaskKind

__all__ = ["TOOLS", "EditState", "Settings", "Target", "Tool", "ToolName"]

ToolName = Literal["move", "brush", "erase", "fill", "polygon", "lasso", "wand", "superpixel", "model"]


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: its words, its key, and napari's mode under it (empty: our own mouse)."""

    name: ToolName
    title: str
    key: str
    mode: str
    tip: str


TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("move", "Move", "M", "pan_zoom", "Pan and zoom; the space bar does so in every tool"),
        Tool("brush", "Brush", "B", "paint", "Paint the class; Shift+wheel sets the size"),
        Tool("erase", "Erase", "E", "erase", "Make it background: nothing of this mask is here, says you"),
        Tool("fill", "Fill", "F", "fill", "Give a connected area the class"),
        Tool("polygon", "Polygon", "P", "polygon", "Click corners, double-click to close"),
        Tool("lasso", "Lasso", "L", "", "Draw around an area; it is filled on release"),
        Tool("wand", "Wand", "W", "", "Click: what is connected and looks alike gets the class"),
        Tool("superpixel", "Superpixel", "S", "", "Drag: whole superpixels get the class, edges are kept"),
        Tool("model", "Model's", "R", "paint", "Paint away your corrections: the model's labels come back"),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """The slide that is corrected.

    Attributes
    ----------
    role : {"he", "ihc"}
    name : str
        File name.
    shape : tuple of int
        (rows, cols) of level 0.
    um_per_px : float
    pyramid : TilePyramid
        Its pixels.
    folder : Path
        The case's; corrections lie under ``edits``, the log beside it.
    sha256 : str
        Empty where it is not known.
    """

    role: SlideRole
    name: str
    shape: tuple[int, int]
    um_per_px: float
    pyramid: TilePyramid
    folder: Path
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Tool, class and their sizes.

    Attributes
    ----------
    tool : str
    value : int
        Label of the class.
    brush_um : float
        Diameter.
    wand_on : {"brown", "blue", "model"}
        What the wand compares: density of a stain, or the model's probability.
    tolerance : float
        Of the wand: OD, or probability.
    keep : bool
        Paint over background only.
    opacity : float
    """

    tool: ToolName = "move"
    value: int = 0
    brush_um: float = 20.0
    wand_on: Literal["brown", "blue", "model"] = "brown"
    tolerance: float = 0.15
    keep: bool = False
    opacity: float = 0.55


@dataclass
class EditState:
    """State of the dock; every change of a field emits ``events.<field>``."""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    target: Target | None = None
    kind: MaskKind | None = None
    settings: Settings = field(default_factory=Settings)
    window: EditWindow | None = None
    covered: bool = False
    can_undo: bool = False
    can_redo: bool = False
    saving: int = 0
    last: str = ""
    under: str = ""
    message: Message | None = None

    @property
    def active(self) -> bool:
        """Whether a mask is open."""
        return self.kind is not None
