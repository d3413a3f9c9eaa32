"""Step 5: the score with its reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_her2._napari.score_view import sampled
from napari_her2._napari.widgets.bars import AlternativesBar, PercentBars
from napari_her2._napari.widgets.card import IshCard
from napari_her2._napari.widgets.look import readable_on
from napari_her2._napari.widgets.parts import Section, label, restyle, rule, shown, unbroken

if TYPE_CHECKING:
    from napari_her2._napari.score_view import ScoreView
    from napari_her2._napari.widgets.look import Look

__all__ = ["ResultBox"]


EMPTY = "The score with its reasons comes here."


class ResultBox(Section):
    """The call large, then why: path, percentages, alternatives, flags, figures."""

    ish_given = Signal(dict)

    def __init__(self, look: Look) -> None:
        super().__init__("5  Score")
        self.look = look
        self._view: ScoreView | None = None
        self._flips: tuple[str, ...] = ()
        self.flips, self.flips_head = label("", "", wrap=True), label("What would change the call", "small")
        self.call = QLabel()
        self.call.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.heading, self.status = label("", "provisional", wrap=True), label("", "status", wrap=True)
        self.category = label("", "small", wrap=True)
        self.banners, self.reason = label("", "strong", wrap=True), label("", wrap=True)
        self.path = QWidget()
        self.path_grid = QGridLayout(self.path)
        self.bars, self.alternatives = PercentBars(look), AlternativesBar(look)
        self.flags = QWidget()
        self.flags_grid = QGridLayout(self.flags)
        self.facts = QWidget()
        self.facts_grid = QGridLayout(self.facts)
        self.others = QWidget()
        self.others_grid = QGridLayout(self.others)
        self._lay_out()

    def show_nothing(self, why: str = "") -> None:
        """There is no score (any more), or it may not be shown yet."""
        self.empty.setText(why or EMPTY)
        self._view = None
        self.whole.hide()
        self.empty.show()

    def _lay_out(self) -> None:
        self.whole, self.empty = (
            QWidget(),
            label(EMPTY, "small", wrap=True),
        )
        self.inner = QVBoxLayout(self.whole)
        self.inner.setContentsMargins(0, 0, 0, 0)
        self.inner.setSpacing(6)
        self.body.addWidget(self.empty)
        self.body.addWidget(self.whole)
        self.whole.hide()
        words = QVBoxLayout()
        words.setSpacing(1)
        for widget in (self.heading, self.status, self.category):
            words.addWidget(widget)
        words.addStretch(1)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self.call, 0, Qt.AlignmentFlag.AlignTop)
        head.addLayout(words, 1)
        self.inner.addLayout(head)
        for widget in (self.banners, self.reason):
            self.inner.addWidget(widget)
        for grid in (self.path_grid, self.flags_grid, self.facts_grid, self.others_grid):
            grid.setContentsMargins(0, 0, 0, 0)
            grid.setHorizontalSpacing(8)
            grid.setVerticalSpacing(3)
            grid.setColumnStretch(1, 1)
        self.confidence = label("", "small")
        self.inner.addWidget(self.flips_head)
        self.inner.addWidget(self.flips)
        self.ish = IshCard()
        self.ish.given.connect(self.ish_given)
        self.inner.addWidget(self.ish)
        blocks = (
            ("How the guideline decided", self.path),
            ("Tumour cells by class", self.bars),
            ("Each score, by sampling alone", self.alternatives),
            ("Beside it: other views of the same staining", self.others),
            ("Please note", self.flags),
            ("Figures", self.facts),
        )
        for at, (title, widget) in enumerate(blocks):
            self._block(title, widget, self.confidence if at == 2 else None)

    def _block(self, title: str, widget: QWidget, right: QWidget | None = None) -> None:
        self.inner.addSpacing(2)
        self.inner.addWidget(rule())
        head, words = QHBoxLayout(), label(title, "small")
        head.addWidget(words)
        head.addStretch(1)
        if right is not None:
            head.addWidget(right)
            self.confidence_head = words
        self.inner.addLayout(head)
        self.inner.addWidget(widget)

    def set_look(self, look: Look) -> None:
        """Follow napari's theme."""
        self.look = look
        for painted in (self.bars, self.alternatives):
            painted.set_look(look)
        if self._view is not None:
            self.show_view(self._view, self._flips)

    def show_view(self, view: ScoreView, flips: tuple[str, ...] = ()) -> None:
        """Show a report, and what would change its call."""
        self._view, self._flips = view, flips
        shown(self.flips, "\n".join(flips))
        self.flips_head.setVisible(bool(flips))
        self.empty.hide()
        self.whole.show()
        self._show_call(view)
        self.bars.show_bars(view.bars, view.line_percent)
        self.alternatives.show_parts(view.alternatives)
        shown(self.banners, "\n".join(view.banners))
        self.reason.setText(unbroken(view.reason))
        self._show_path(view)
        flags = view.flags or ("Nothing particular.",)
        _fill(self.flags_grid, [(label("•"), label(flag, wrap=True)) for flag in flags])
        self.confidence.setText("  ·  ".join(f"{score} {sampled(p)}" for score, p in view.alternatives if p))
        for widget in (self.confidence_head, self.confidence, self.alternatives):
            widget.setVisible(bool(view.alternatives))
        _fill(
            self.others_grid, [(label(name, "small"), label(value, wrap=True)) for name, value in view.others]
        )
        _fill(
            self.facts_grid,
            [
                (label(name, "small"), label(value, wrap=True))
                for name, value in (("Guideline", view.rule), *view.facts)
            ],
        )

    def _show_call(self, view: ScoreView) -> None:
        long = len(view.call) > 2
        size = self.look.base_pt + (3 if long else 22)
        self.call.setText(view.call.replace(" ", "\n"))
        self.call.setMinimumSize(84, 72)
        self.call.setStyleSheet(
            f"background: {view.colour}; color: {readable_on(view.colour)}; border-radius: 6px; "
            f"font-size: {size}pt; font-weight: 700; padding: 4px 10px;"
        )
        restyle(self.heading, "kind", "provisional" if view.heading.startswith("Provisional") else "small")
        self.heading.setText(view.heading)
        self.status.setText(view.status)
        shown(self.category, view.category)

    def _show_path(self, view: ScoreView) -> None:
        rows = []
        for line in view.path:
            mark = label("✓" if line.holds else "\u2013", "strong" if line.holds else "small")
            said = unbroken(f"{line.text}  {line.answer}".strip())
            text = label(said, "strong" if line.holds else "", wrap=True)
            rows.append((mark, text))
            mark.setAlignment(Qt.AlignmentFlag.AlignTop)
        _fill(self.path_grid, rows)


def _fill(grid: QGridLayout, rows: list[tuple[QWidget, QWidget]]) -> None:
    """Replace the rows of a two-column grid."""
    while (item := grid.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
    for at, (left, right) in enumerate(rows):
        grid.addWidget(left, at, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(right, at, 1)
