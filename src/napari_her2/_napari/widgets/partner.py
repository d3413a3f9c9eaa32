"""The H&E over the IHC, warped by the whole mapping: blended, behind a line, or in squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_her2._napari import layers as data
from napari_her2._napari.warped import Curtain, CurtainPyramid, WarpedSource

if TYPE_CHECKING:
    from napari_her2._napari.canvas import CaseCanvas
    from napari_her2._napari.session import Session

__all__ = ["Partner"]

KEY = "warped"
SQUARE_PX = 110.0


class Partner:
    """One layer of the main canvas, there while a mode is on.

    Parameters
    ----------
    canvas : CaseCanvas
    refresher : TileRefresher
        Whose loader makes the tiles.
    """

    def __init__(self, canvas: CaseCanvas, refresher: Any) -> None:
        self.canvas, self._refresher = canvas, refresher
        self._pyramid: CurtainPyramid | None = None
        self._width_um = 1.0
        self._value = 0.5

    def show(self, mode: str, session: Session, value: float) -> None:
        """Show the warped H&E in a mode; ``off`` takes it away."""
        if mode == "off" or session.mapping is None or session.he is None or session.ihc is None:
            self.forget()
            return
        if self._pyramid is None:
            self._make(session)
        self._set(kind=mode)
        self.slide(value)

    def slide(self, value: float) -> None:
        """Set opacity, line or nothing, as the mode has it; 0 to 1."""
        self._value = value
        layer = self.canvas.layer(KEY)
        if self._pyramid is None or layer is None:
            return
        if self._pyramid.curtain.kind == "swipe":
            self._set(line=self._line(value))
        layer.opacity = value if self._pyramid.curtain.kind == "blend" else 1.0

    def rest(self) -> None:
        """Keep line and squares where the eye expects them after the view has moved."""
        if self._pyramid is not None and self._pyramid.curtain.kind != "blend":
            self._set(line=self._line(self._value))

    def forget(self) -> None:
        """Take the layer away."""
        self.canvas.remove(KEY)
        self._pyramid = None

    def _make(self, session: Session) -> None:
        he: Any = session.he
        ihc: Any = session.ihc
        source = WarpedSource(he.pyramid.source.slide, session.mapping, ihc.pyramid.source.level_shapes)  # type: ignore[arg-type]
        self._pyramid = CurtainPyramid(source, self._refresher.loader, live=True)
        self._width_um = ihc.size_um[1]
        entry = data.slide_layer(self._pyramid, "H&E, warped onto the IHC", ihc.um_per_px)
        self.canvas.add_over_ihc(KEY, entry)

    def _set(self, **changes: Any) -> None:
        """Draw the curtain anew; no pixel is read again."""
        from dataclasses import replace

        if self._pyramid is None:
            return
        zoom = float(self.canvas.viewer.scene.camera.zoom)
        square = SQUARE_PX / max(zoom, 1e-9) / self._width_um
        now: Curtain = replace(self._pyramid.curtain, square=square, **changes)
        self._pyramid.curtain = now
        layer = self.canvas.layer(KEY)
        if layer is not None:
            layer.refresh(extent=False, highlight=False, thumbnail=False)

    def _line(self, value: float) -> float:
        """Return the column (fraction of the slide) at a fraction of what is in view."""
        camera, size = self.canvas.viewer.scene.camera, self.canvas.viewer.canvas.size
        width_um = size[1] / float(camera.zoom)
        left = float(camera.center[-1]) - width_um / 2
        return (left + value * width_um) / self._width_um
