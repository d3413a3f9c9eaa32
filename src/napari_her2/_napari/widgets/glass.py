"""A pane of glass over a canvas: cursor, patches, pairs, ruler, legend and read-outs, painted by Qt.

The mouse goes through it, unless a tool is held. No layer, no OpenGL: what is drawn here never touches the
slide's pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QPointF, QRectF, Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QApplication, QWidget

from napari_her2._napari.hud import fitted
from napari_her2._napari.widgets import painting
from napari_her2._napari.widgets.painting import MARGIN_PX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_her2._napari.hands import Hand, Mark

__all__ = ["Glass", "Ring", "canvas_of"]

LEAST_RING_PX = 7.0
REACH_PX = 11.0
"""An end of a pair is taken hold of within this distance."""

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Ring:
    """A place on the other slide: world µm (row, col), radius in µm, and whether the slides share it."""

    place: Place
    radius_um: float
    inside: bool = True


def canvas_of(viewer: Any) -> QWidget:
    """Return the widget that napari draws a window's main viewer on."""
    native: QWidget = viewer.window._qt_viewer.canvas.native
    return native


class Glass(QWidget):
    """Paints over a canvas, in step with its camera.

    Parameters
    ----------
    viewer : ViewerModel
        Whose camera says where world µm lie on the screen.
    canvas : QWidget
        Covered wholly.

    Attributes
    ----------
    left : callable
        Called when the mouse leaves the canvas.
    """

    def __init__(self, viewer: Any, canvas: QWidget) -> None:
        super().__init__(canvas)
        self.viewer = viewer
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setMouseTracking(True)
        self._ring: Ring | None = None
        self._circle: Ring | None = None
        self._legend: tuple[tuple[str, str], ...] = ()
        self._lines: tuple[str, ...] = ()
        self._told: tuple[str, ...] = ()
        self._title = ""
        self._marks: tuple[Mark, ...] = ()
        self._patch: tuple[tuple[Place, ...], bool] | None = None
        self._measured: tuple[Place, Place, str] | None = None
        self._hand: Hand | None = None
        self._hovered: Callable[[Place], None] | None = None
        self._pressed: QPointF | None = None
        self._taken = self._moved = False
        self.left: Callable[[], None] = lambda: None
        canvas.installEventFilter(self)
        self.setGeometry(canvas.rect())
        self.show()
        self.raise_()

    def leave(self) -> None:
        """Go away with what is painted."""
        self.hold(None)
        parent = self.parent()
        if parent is not None:
            parent.removeEventFilter(self)
        self.hide()
        self.setParent(None)
        self.deleteLater()

    def hold(self, hand: Hand | None, hovered: Callable[[Place], None] | None = None) -> None:
        """Give the mouse to a tool, or back to napari; ``hovered`` hears of it while it is ours."""
        self._hand, self._hovered, self._pressed = hand, hovered, None
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, hand is None)
        if hand is None:
            self.unsetCursor()
        else:
            self.setCursor(Qt.CursorShape.CrossCursor)

    def show_ring(self, ring: Ring | None) -> None:
        """Show where the other slide's cursor lies, with its error as the radius; None hides it."""
        self._show("_ring", ring)

    def show_circle(self, circle: Ring | None) -> None:
        """Show the field that is counted."""
        self._show("_circle", circle)

    def show_patch(self, corners: Sequence[Place] | None, *, matched: bool = True) -> None:
        """Show the outline of a patch (world µm); None hides it."""
        self._show("_patch", None if corners is None else (tuple(corners), matched))

    def show_marks(self, marks: Sequence[Mark]) -> None:
        """Show the ends of pairs that lie on this slide."""
        self._show("_marks", tuple(marks))

    def show_measured(self, line: tuple[Place, Place, str] | None) -> None:
        """Show a measured line."""
        self._show("_measured", line)

    def show_legend(self, entries: Sequence[tuple[str, str]]) -> None:
        """Show (colour, words) at the lower left; nothing for none."""
        self._show("_legend", tuple(entries))

    def show_lines(self, *lines: str) -> None:
        """Show lines of text at the upper right."""
        self._show("_lines", lines)

    def show_told(self, *lines: str) -> None:
        """Show what lies under the cursor, at the upper left."""
        self._show("_told", lines)

    def show_title(self, title: str) -> None:
        """Show which slide this is, at the upper left."""
        self._show("_title", title)

    def _show(self, name: str, value: Any) -> None:
        if value != getattr(self, name):
            setattr(self, name, value)
            self.update()

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Stay as large as the canvas, and hear when the mouse leaves it."""
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(watched.rect())
        elif event.type() == QEvent.Type.Leave and self._hand is None:
            self.left()
        return False

    def leaveEvent(self, event: Any) -> None:
        """Hear when the mouse leaves while a tool holds it."""
        self.left()
        super().leaveEvent(event)

    def on_screen(self, place: Place) -> QPointF:
        """Return where a place (world µm) is painted."""
        (row, col), zoom = self._view()
        return QPointF(
            self.width() / 2 + (place[1] - col) * zoom, self.height() / 2 + (place[0] - row) * zoom
        )

    def in_world(self, at: QPointF) -> Place:
        """Return the place (world µm) that a point of the screen shows."""
        (row, col), zoom = self._view()
        return row + (at.y() - self.height() / 2) / zoom, col + (at.x() - self.width() / 2) / zoom

    def _view(self) -> tuple[Place, float]:
        camera = self.viewer.scene.camera
        row, col = camera.center[-2:]
        return (float(row), float(col)), float(camera.zoom)

    def press_at(self, place: Place) -> None:
        """Begin with the tool at a place."""
        self._taken = self._hand is not None and self._hand.press(place, REACH_PX / self._view()[1])

    def drag_to(self, place: Place) -> None:
        """Go on with the tool to a place."""
        if self._hand is not None and self._taken:
            self._hand.drag(place)

    def mousePressEvent(self, event: Any) -> None:
        """Begin a drag of the tool, or of the slide."""
        if self._hand is None or event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self._pressed, self._moved = event.position(), False
        self.press_at(self.in_world(self._pressed))

    def mouseMoveEvent(self, event: Any) -> None:
        """Drag with the tool, else move the slide; without a button, tell where the mouse is."""
        at = event.position()
        if self._pressed is None or self._hand is None:
            if self._hovered is not None:
                self._hovered(self.in_world(at))
            return
        away = at - self._pressed
        self._moved |= abs(away.x()) + abs(away.y()) >= QApplication.startDragDistance() // 2
        if self._moved and self._taken:
            self.drag_to(self.in_world(at))
        elif self._moved:
            (row, col), zoom = self._view()
            self.viewer.scene.camera.center = (0.0, row - away.y() / zoom, col - away.x() / zoom)
            self._pressed = at

    def mouseReleaseEvent(self, event: Any) -> None:
        """End the drag; a click is one that went nowhere."""
        if self._pressed is None or self._hand is None:
            return
        self._pressed = None
        if self._taken:
            self._hand.release()
        elif not self._moved:
            self._hand.click(self.in_world(event.position()))

    def paintEvent(self, event: Any) -> None:
        """Paint all of it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = painting.metrics_of(painter, self.font())
        self._paint_places(painter)
        if self._legend:
            painting.legend(painter, self._legend, metrics, self.height())
        self._paint_texts(painter, metrics)
        painter.end()

    def _paint_places(self, painter: QPainter) -> None:
        zoom = self._view()[1]
        if self._patch is not None:
            corners, matched = self._patch
            painting.patch(painter, [self.on_screen(corner) for corner in corners], matched=matched)
        if self._circle is not None:
            at = self.on_screen(self._circle.place)
            painting.circle(painter, at, self._circle.radius_um * zoom, "#ffffff")
        if self._ring is not None:
            at, colour = self.on_screen(self._ring.place), "#00d5ff" if self._ring.inside else "#9a9a9a"
            radius = max(self._ring.radius_um * zoom, LEAST_RING_PX)
            painting.circle(painter, at, radius, colour, dashed=not self._ring.inside)
            painting.cross(painter, at, 4.0, colour)
        for one in self._marks:
            painting.mark(painter, self.on_screen(one.place), one.words, one.kind)
        if self._measured is not None:
            start, end, words = self._measured
            painting.line(painter, self.on_screen(start), self.on_screen(end), words)

    def _paint_texts(self, painter: QPainter, metrics: Any) -> None:
        row_px = metrics.height() + 6
        self._paint_column(painter, metrics, (self._title,) if self._title else (), MARGIN_PX)
        self._paint_column(painter, metrics, self._lines, MARGIN_PX, right=True)
        top = MARGIN_PX + row_px * bool(self._title)
        told = fitted(self._told, metrics.horizontalAdvance, self.width() - 2 * MARGIN_PX)
        widest = [
            max((metrics.horizontalAdvance(text) for text in lines), default=0.0)
            for lines in (told, self._lines)
        ]
        if sum(widest) + 5 * MARGIN_PX > self.width():  # too narrow for both beside each other
            top = max(top, MARGIN_PX + row_px * len(self._lines))
        self._paint_column(painter, metrics, told, top)

    def _paint_column(
        self, painter: QPainter, metrics: Any, lines: Sequence[str], top: float, *, right: bool = False
    ) -> None:
        for text in lines:
            width = metrics.horizontalAdvance(text)
            left = self.width() - MARGIN_PX - width if right else MARGIN_PX
            painting.written(painter, QRectF(left, top, width, metrics.height()), text)
            top += metrics.height() + 6
