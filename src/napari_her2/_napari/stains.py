"""The IHC as it is, its haematoxylin alone, or its DAB alone: one key goes round. No Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from napari_her2._napari import layers as data
from napari_her2._napari.pyramid import TilePyramid
from napari_her2._napari.warped import StainSource

if TYPE_CHECKING:
    from napari_her2._napari.canvas import CaseCanvas
    from napari_her2._napari.session import Session

__all__ = ["StainView"]

KEY: Final = "stain"
Stain = Literal["haematoxylin", "dab"]
ROUND: Final[dict[str, Stain | None]] = {"": "haematoxylin", "haematoxylin": "dab", "dab": None}


class StainView:
    """A layer over the IHC, there while one stain is shown.

    Parameters
    ----------
    session : Session
    canvas : CaseCanvas
    """

    def __init__(self, session: Session, canvas: CaseCanvas) -> None:
        self.session, self.canvas = session, canvas
        self._shown = ""
        session.events.ihc.connect(self.forget)

    def cycle(self, *_: Any) -> None:
        """Show the next: as it is, haematoxylin, DAB."""
        wanted = ROUND[self._shown if self.canvas.layer(KEY) is not None else ""]
        self.forget()
        ihc = self.session.ihc
        if wanted is not None and ihc is not None:
            source: Any = ihc.pyramid.source
            alone = StainSource(source.slide, wanted, source.level_shapes)
            pyramid = TilePyramid(alone, ihc.pyramid.loader, live=ihc.pyramid.live)
            self.canvas.add_over_ihc(KEY, data.slide_layer(pyramid, f"IHC, {wanted} alone", ihc.um_per_px))
            self._shown = wanted

    def forget(self, *_: Any) -> None:
        """Show the IHC as it is."""
        self._shown = ""
        self.canvas.remove(KEY)
