"""What every dock of the plugin is: a view of the shared session that leaves no trace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget

from napari_her2._napari.widgets.look import Look, look_of
from napari_her2._napari.widgets.studio import Studio, studio_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Docked"]


@dataclass(slots=True, eq=False)
class Seat:
    """Whether a dock still sits in its studio."""

    studio: Studio
    taken: bool = False


class Docked(QWidget):
    """A dock widget of one viewer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.setObjectName("her2")
        self.studio = studio_of(napari_viewer)
        self.viewer: Any = self.studio.viewer
        self.session, self.controller = self.studio.session, self.studio.controller
        self._links: list[tuple[Any, Callable[..., Any]]] = []
        self._open, self._docked = True, False
        self._seat = Seat(self.studio)
        self.look: Look = look_of(self.viewer.theme)
        self.follow(self._theme_changed, self.viewer.events.theme)
        self.destroyed.connect(partial(_gone, self._seat))

    def begin(self) -> None:
        """Join the others; the last line of a dock's ``__init__``."""
        self.setStyleSheet(self.look.style)
        self._seat.taken = True
        self.studio.join()

    def follow(self, slot: Callable[..., Any], *signals: Any) -> None:
        """Hear of something until the dock is closed."""
        for signal in signals:
            signal.connect(slot)
            self._links.append((signal, slot))

    def watch(self, slot: Callable[..., Any], *names: str) -> None:
        """Hear of changes of the session's fields until the dock is closed."""
        self.follow(slot, *(getattr(self.session.events, name) for name in names))

    def themed(self) -> None:
        """Follow napari's theme; ``look`` is the new one."""

    def shut(self) -> None:
        """Hear of nothing any more; safe to call twice."""
        if self._open:
            self._open = False
            for signal, slot in self._links:
                signal.disconnect(slot)
            self._links.clear()
            self.closed()
            self._seat.taken = False
            self.studio.leave()
            self.deleteLater()  # slots that hold the dock would keep it, where Python cannot see the ring

    def closed(self) -> None:
        """Let go of what the dock holds beside the shared state."""

    def _theme_changed(self, *_: Any) -> None:
        self.look = look_of(self.viewer.theme)
        self.setStyleSheet(self.look.style)
        self.themed()

    def event(self, event: QEvent) -> bool:
        """Notice that napari takes the widget out of its dock: that closes it."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._docked = True
            elif self._docked and self._open:
                self.shut()
        return super().event(event)


def _gone(seat: Seat, *_: Any) -> None:
    """End what runs when the whole window was closed: the dock went without leaving."""
    if seat.taken:
        seat.studio.halt()
