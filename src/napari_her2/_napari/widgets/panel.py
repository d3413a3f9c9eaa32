"""The dock widget "HER2 case": a case in seven steps."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_her2._napari.blind import HIDDEN
from napari_her2._napari.layers import warm_up
from napari_her2._napari.live import flip_words, with_live
from napari_her2._napari.score_view import score_view
from napari_her2._napari.steps import STEPS, current_step, step_states
from napari_her2._napari.widgets.align_box import AlignBox
from napari_her2._napari.widgets.arrange import LINKED, PARTS_DOCK, QUEUE, open_dock
from napari_her2._napari.widgets.docked import Docked
from napari_her2._napari.widgets.export_box import ExportBox
from napari_her2._napari.widgets.parts import MessageBar, Section, label, scrolled
from napari_her2._napari.widgets.result_box import ResultBox
from napari_her2._napari.widgets.review_box import ReviewBox
from napari_her2._napari.widgets.run_box import RunBox
from napari_her2._napari.widgets.slides_box import SlidesBox, dropped_paths
from napari_her2._napari.widgets.tumour_box import TumourBox
from napari_her2._napari.widgets.view_box import ViewBox
from napari_her2.vocabulary import DISCLAIMER

if TYPE_CHECKING:
    from pathlib import Path

    import napari

__all__ = ["CasePanel"]

WIDTH_PX = 372
OUTDATED = "Provisional: the alignment was changed after scoring; score again"
UNSCORED = "Provisional: your tumour area is not counted yet; score again"

WATCHED = (
    "he", "ihc", "settings", "tumour", "activity", "arrangement", "blend", "prepared", "signed", "reader",
    "refit", "tool", "circle_um", "picking_white",
)  # fmt: skip


class CasePanel(Docked):
    """A case from its slides to the signed score.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._step = ""
        self._build()
        self._connect()
        self._show_session()
        self.setAcceptDrops(True)
        self.begin()
        Thread(target=warm_up, name="her2-warm-up", daemon=True).start()

    def _build(self) -> None:
        self.slides, self.align, self.tumour = SlidesBox(), AlignBox(), TumourBox()
        self.run_box, self.view_box = RunBox(_rules()), ViewBox()
        self.result, self.message = ResultBox(self.look), MessageBar()
        self.review, self.export = ReviewBox(), ExportBox()
        made = (self.slides, self.align, self.tumour, self.run_box, self.result, self.review, self.export)
        self.steps: dict[str, Section] = dict(zip(STEPS, made, strict=True))
        self.area = scrolled((self.message, *made), 5)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.area, 1)
        whole.addLayout(_margins(self.view_box))
        whole.addWidget(label(DISCLAIMER, "footer"), 0, Qt.AlignmentFlag.AlignHCenter)
        self.setMinimumWidth(WIDTH_PX)

    def _connect(self) -> None:
        session, control = self.session, self.controller
        self.watch(self._show_session, *WATCHED)
        self.watch(self._show_progress, "progress")
        self.watch(self._show_result, "result", "live", "refit", "unread", "tumour")
        self.watch(self._show_message, "message")
        self.slides.opened.connect(control.open)
        self.slides.swapped.connect(control.swap)
        for row in self.slides.rows.values():
            row.closed.connect(control.close_slide)
            row.sized.connect(control.give_um_per_px)
            row.white_switched.connect(lambda role, on: control.pipette.switch(role, on=on))
        self.slides.changed.connect(lambda changes: control.change(**changes))
        self.align.started.connect(control.align)
        self.align.cancelled.connect(control.cancel)
        self.align.linked.connect(partial(open_dock, self.viewer, LINKED))
        self._connect_tumour()
        self._connect_run()
        self._connect_view()
        self.result.ish_given.connect(self.studio.review.give_ish)
        self.message.dismissed.connect(lambda: setattr(session, "message", None))

    def _connect_tumour(self) -> None:
        box, control = self.tumour, self.controller
        box.drawn.connect(control.tumour.draw)
        box.confirmed.connect(control.confirm_tumour)
        box.edited.connect(control.tumour.edit_proposal)
        box.cleared.connect(control.tumour.clear)

    def _connect_run(self) -> None:
        box, control = self.run_box, self.controller
        box.started.connect(control.run)
        box.cancelled.connect(control.cancel)
        box.changed.connect(lambda changes: control.change(**changes))
        box.rows_wanted.connect(partial(open_dock, self.viewer, PARTS_DOCK))
        self.review.queue_wanted.connect(partial(open_dock, self.viewer, QUEUE))

    def _connect_view(self) -> None:
        box, control = self.view_box, self.controller
        canvas = control.canvas
        box.classes_chosen.connect(canvas.show_classes)
        box.layer_switched.connect(canvas.set_visible)
        box.opacity_chosen.connect(canvas.set_opacity)
        box.threshold_chosen.connect(canvas.set_threshold)
        box.arranged.connect(control.arrange)
        box.blended.connect(lambda blend: control.arrange(None, blend))
        box.circle_chosen.connect(lambda um: setattr(self.session, "circle_um", um))
        box.ruler_switched.connect(self.studio.hud.switch_ruler)
        box.looked_at.connect(lambda key: canvas.look_at(*([key] if key else ["he", "ihc"])))

    def _show_session(self, *_: Any) -> None:
        boxes = (self.slides, self.align, self.tumour, self.run_box, self.view_box, self.review, self.export)
        for box in boxes:
            box.show_session(self.session)
        self._show_steps()

    def _show_steps(self) -> None:
        """Show the state of each step, and unfold the one that is the person's turn when that changes."""
        for name, step in step_states(self.session).items():
            self.steps[name].show_state(step.state, step.words, step.hint)
        turn = current_step(self.session)
        if turn != self._step:
            self._step = turn
            for name, box in self.steps.items():
                box.fold(name != turn)

    def _show_progress(self, *_: Any) -> None:
        self.run_box.show_progress(self.session.progress, self.session.activity)
        self.align.show_progress(self.session.progress, self.session.activity)
        self._show_steps()

    def _show_result(self, *_: Any) -> None:
        result = self.session.result
        if result is not None:
            live = self.session.live
            said = live is not None and (live.changed or self.session.settings.ish)
            view = score_view(live.report if live is not None and said else result.report)
            view = with_live(view, live)
            if self.session.outdated:
                view = replace(view, heading=OUTDATED)
            elif self.session.area_unscored:
                view = replace(view, heading=UNSCORED)
            self.result.show_view(view, () if live is None else flip_words(live.flips))
        else:
            self.result.show_nothing(HIDDEN if self.session.unread is not None else "")
        self._show_session()

    def _show_message(self, *_: Any) -> None:
        message = self.session.message
        self.message.show_message(message.text if message else "", message.kind if message else "info")

    def themed(self) -> None:
        """Repaint what is painted by hand."""
        self.result.set_look(self.look)

    def dragEnterEvent(self, event: Any) -> None:
        """Accept slides and cases."""
        if dropped_paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Open what was dropped."""
        event.acceptProposedAction()
        paths: list[Path] = dropped_paths(event)
        self.controller.open(paths)


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
