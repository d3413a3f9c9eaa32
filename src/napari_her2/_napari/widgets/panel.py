"""The dock widget "HER2 score"."""

from __future__ import annotations

from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from napari_her2._napari.canvas import CaseCanvas
from napari_her2._napari.controller import ScoreController
from napari_her2._napari.layers import warm_up
from napari_her2._napari.preferences import preferences
from napari_her2._napari.reader import new_pyramid
from napari_her2._napari.score_view import score_view
from napari_her2._napari.session import Session
from napari_her2._napari.widgets.jobs import QtJobs
from napari_her2._napari.widgets.look import look_of
from napari_her2._napari.widgets.parts import MessageBar, label
from napari_her2._napari.widgets.result_box import ResultBox
from napari_her2._napari.widgets.run_box import RunBox, TumourBox
from napari_her2._napari.widgets.slides_box import SlidesBox, dropped_paths
from napari_her2._napari.widgets.view_box import ViewBox
from napari_her2._napari.worker import refresher
from napari_her2.vocabulary import DISCLAIMER

if TYPE_CHECKING:
    import napari

__all__ = ["ScorePanel"]

WIDTH_PX = 372


class ScorePanel(QWidget):
    """Open a pair, score it, and see why.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.setObjectName("her2")
        self.viewer: Any = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self._open = True
        window: Any = refresher()
        self._refresher = window
        self.session = Session()
        self.controller = ScoreController(
            self.session,
            CaseCanvas(self.viewer, new_pyramid),
            QtJobs(),
            self._refresher.loader,
            preferences(),
        )
        self._build()
        self._connect()
        self._show_session()
        self.result.hide()
        self.setAcceptDrops(True)
        self.destroyed.connect(partial(_gone, self.session, self.controller))
        self.controller.adopt()
        Thread(target=warm_up, name="her2-warm-up", daemon=True).start()

    def _build(self) -> None:
        look = look_of(self.viewer.theme)
        self.slides, self.tumour = SlidesBox(), TumourBox()
        self.run_box, self.view_box = RunBox(_rules()), ViewBox()
        self.result, self.message = ResultBox(look), MessageBar()
        content = QWidget()
        content.setObjectName("content")
        column = QVBoxLayout(content)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(6)
        for box in (self.message, self.slides, self.tumour, self.run_box, self.result):
            column.addWidget(box)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        area.setWidget(content)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(area, 1)
        whole.addLayout(_margins(self.view_box))
        whole.addWidget(label(DISCLAIMER, "footer"), 0, Qt.AlignmentFlag.AlignHCenter)
        self.setMinimumWidth(WIDTH_PX)
        self.setStyleSheet(look.style)

    def _connect(self) -> None:
        session, control = self.session, self.controller
        for name in ("he", "ihc", "settings", "tumour", "activity", "arrangement", "blend"):
            getattr(session.events, name).connect(self._show_session)
        session.events.progress.connect(self._show_progress)
        session.events.result.connect(self._show_result)
        session.events.message.connect(self._show_message)
        self.slides.opened.connect(control.open)
        self.slides.swapped.connect(control.swap)
        for row in self.slides.rows.values():
            row.closed.connect(control.close_slide)
            row.sized.connect(control.give_um_per_px)
        self.tumour.drawn.connect(control.draw_tumour)
        self._connect_run(control)
        self._connect_view(control)
        self.message.dismissed.connect(lambda: setattr(session, "message", None))
        self.viewer.events.theme.connect(self._theme_changed)
        for happened in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            happened.connect(self._layers_changed)
        self._refresher.failed.connect(self._tile_failed)
        for key, action in self._keys().items():
            self.viewer.bind_key(key, action, overwrite=True)

    def _connect_run(self, control: ScoreController) -> None:
        box = self.run_box
        box.started.connect(control.run)
        box.cancelled.connect(control.cancel)
        box.rule_chosen.connect(lambda rule: control.change(rule=rule))
        box.folder_chosen.connect(lambda folder: control.change(case_folder=folder))
        box.restart_chosen.connect(lambda restart: control.change(restart=restart))

    def _connect_view(self, control: ScoreController) -> None:
        box, canvas = self.view_box, control.canvas
        box.classes_chosen.connect(canvas.show_classes)
        box.layer_switched.connect(canvas.set_visible)
        box.arranged.connect(control.arrange)
        box.blended.connect(lambda blend: control.arrange(None, blend))
        box.looked_at.connect(lambda key: canvas.look_at(*([key] if key else ["he", "ihc"])))

    def _keys(self) -> dict[str, Any]:
        control = self.controller
        return {
            "Control-Alt-R": lambda _: control.run(),
            "Control-Alt-O": lambda _: control.toggle_overlays(),
            "Control-Alt-S": lambda _: control.toggle_stain(),
        }

    def _show_session(self, *_: Any) -> None:
        for box in (self.slides, self.tumour, self.run_box, self.view_box):
            box.show_session(self.session)

    def _show_progress(self, *_: Any) -> None:
        self.run_box.show_progress(self.session.progress, self.session.activity)

    def _show_result(self, *_: Any) -> None:
        result = self.session.result
        self.result.setVisible(result is not None)
        for box in (self.slides, self.tumour, self.run_box):
            box.fold(result is not None)
        if result is not None:
            self.result.show_view(score_view(result.report))
        self._show_session()

    def _show_message(self, *_: Any) -> None:
        message = self.session.message
        self.message.show_message(message.text if message else "", message.kind if message else "info")

    def _theme_changed(self, *_: Any) -> None:
        look = look_of(self.viewer.theme)
        self.setStyleSheet(look.style)
        self.result.set_look(look)

    def _layers_changed(self, *_: Any) -> None:
        drawing = self.controller.canvas.drawing()
        if drawing is not None:
            drawing.events.data.disconnect(self._drawn)
            drawing.events.data.connect(self._drawn)
        self._drawn()

    def _drawn(self, *_: Any) -> None:
        self.controller.tumour_drawn()

    def _tile_failed(self, pyramid: Any, error: BaseException) -> None:
        self.controller.tile_failed(pyramid, error)

    def dragEnterEvent(self, event: Any) -> None:
        """Accept slides and cases."""
        if dropped_paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Open what was dropped."""
        event.acceptProposedAction()
        self.controller.open(dropped_paths(event))

    def event(self, event: QEvent) -> bool:
        """Notice that napari takes the panel out of its dock: that closes it."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None and self._open and self._docked:
            self.shut()
        elif event.type() == QEvent.Type.ParentChange and self.parent() is not None:
            self._docked = True
        return super().event(event)

    _docked = False

    def shut(self) -> None:
        """Stop all work and leave the viewer as it was; safe to call twice."""
        if not self._open:
            return
        self._open = False
        self.session.events.disconnect()
        self._refresher.failed.disconnect(self._tile_failed)
        self.viewer.events.theme.disconnect(self._theme_changed)
        for happened in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            happened.disconnect(self._layers_changed)
        drawing = self.controller.canvas.drawing()
        if drawing is not None:
            drawing.events.data.disconnect(self._drawn)
        for key in self._keys():
            self.viewer.bind_key(key, None, overwrite=True)
        self.controller.close()


def _gone(session: Session, controller: ScoreController, *_: Any) -> None:
    """Stop what runs after the whole window was closed; nothing of it can be touched any more."""
    session.events.disconnect()
    controller.halt()


def _margins(widget: QWidget) -> QVBoxLayout:
    """Return a layout that sets the widget off from its neighbours."""
    layout = QVBoxLayout()
    layout.setContentsMargins(6, 4, 20, 2)
    layout.addWidget(widget)
    return layout


def _rules() -> list[tuple[str, str]]:
    """Return (name, words) of the guidelines."""
    from napari_her2.scoring import list_rules

    return [(rule.name, rule.title) for rule in list_rules()]
