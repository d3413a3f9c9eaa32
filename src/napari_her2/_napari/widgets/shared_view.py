"""What both slides hold: patches in pairs, and a grey veil over the rest; found anew for each alignment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_her2._napari.paired import find_pairs, veil_layer
from napari_her2._napari.widgets.jobs import QtJobs

if TYPE_CHECKING:
    from napari_her2._napari.canvas import CaseCanvas
    from napari_her2._napari.he_side import HeSide
    from napari_her2._napari.paired import Paired, Pairing
    from napari_her2._napari.session import Session, SlideRole
    from napari_her2.mapping import SlideMapping

__all__ = ["SharedView"]

VEIL = "veil"
WAIT_MS = 400
"""An alignment that changes again within this time, as in a drag, is not looked at."""


class SharedView:
    """Keeps the pairs of patches and the veils of the alignment that is shown.

    Parameters
    ----------
    session : Session
    canvas : CaseCanvas
    side : HeSide
    """

    def __init__(self, session: Session, canvas: CaseCanvas, side: HeSide) -> None:
        self.session, self.canvas, self.side = session, canvas, side
        self.found: Paired | None = None
        self._jobs, self._open = QtJobs(), True
        self._of: SlideMapping | None = None
        self._wait = QTimer()
        self._wait.setSingleShot(True)
        self._wait.setInterval(WAIT_MS)
        self._wait.timeout.connect(self._start)

    def at(self, side: SlideRole, place_um: tuple[float, float]) -> Pairing | None:
        """Return the patch at a place of a slide, with its partner."""
        return None if self.found is None else self.found.at(side, place_um)

    def find(self) -> None:
        """Look at the alignment of the session soon, unless it is the one that was looked at."""
        mapping = self.session.mapping
        if mapping is None:
            self._of = self.found = None
            self._show(None)
        elif mapping is not self._of:
            self._wait.start()
        elif self.found is not None:
            self._show(self.found)

    def _start(self) -> None:
        mapping, result, refit = self.session.mapping, self.session.result, self.session.refit
        if mapping is None or not self._open:
            return
        self._of = mapping
        patches = None if result is None else result.patches
        self._jobs.start(
            lambda: find_pairs(mapping, patches, matched=refit is None or not refit.changed),
            event=_nothing,
            result=lambda found: self._take(mapping, found),
            error=_nothing,
            end=_none,
        )

    def _take(self, mapping: Any, found: Paired) -> None:
        if self._open and mapping is self.session.mapping:
            self.found = found
            self._show(found)

    def _show(self, found: Paired | None) -> None:
        """Put the veils over both slides."""
        self.canvas.remove(VEIL)
        self.side.show_veil(None if found is None else veil_layer(*found.he_veil))
        if found is not None and self.canvas.layer("ihc") is not None:
            self.canvas.add_over_ihc(VEIL, veil_layer(*found.ihc_veil))

    def close(self) -> None:
        """Take the veil away."""
        self._open = False
        self._wait.stop()
        self.canvas.remove(VEIL)


def _nothing(_: Any) -> None:
    """Do nothing."""


def _none() -> None:
    """Do nothing."""
