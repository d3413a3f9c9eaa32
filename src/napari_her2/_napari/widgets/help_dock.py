"""The dock "HER2 help": every key, and every action of the command palette, to be searched."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout

from napari_her2._napari.shortcuts import PLACES, SHORTCUTS, spoken
from napari_her2._napari.widgets.docked import Docked
from napari_her2._napari.widgets.parts import Section, label, scrolled
from napari_her2.vocabulary import DISCLAIMER

if TYPE_CHECKING:
    import napari

__all__ = ["HelpDock"]

WIDTH_PX = 340
PALETTE = "Ctrl+Shift+P"
PALETTE_TITLE = "Without a key"


class HelpDock(Docked):
    """All that can be done, with its key where it has one.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search, e.g. “field” or “Ctrl+Alt+N”")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self.filter)
        self.sections = {title: _section(title, rows) for title, rows in help_rows().items()}
        head = label(
            f"Everything is also in the command palette: {PALETTE}, then type HER2.", "small", wrap=True
        )
        self.nothing = label("Nothing of that name.", "small")
        self.nothing.hide()
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        line = QHBoxLayout()
        line.setContentsMargins(8, 6, 8, 2)
        line.addWidget(self.search)
        whole.addLayout(line)
        whole.addWidget(scrolled((head, *(box for box, _ in self.sections.values()), self.nothing), 6), 1)
        whole.addWidget(label(DISCLAIMER, "footer"), 0, Qt.AlignmentFlag.AlignHCenter)
        self.setMinimumWidth(WIDTH_PX)
        self.begin()

    def filter(self, text: str) -> None:
        """Show the rows that hold all words that were typed."""
        words = text.lower().split()
        found = False
        for box, rows in self.sections.values():
            shown = [_show(pair, words) for pair in rows]
            box.setVisible(any(shown))
            found = found or any(shown)
        self.nothing.setVisible(not found)


def help_rows() -> dict[str, list[tuple[str, str]]]:
    """Return (key, what it does) by heading: where a key acts, then the palette's actions without a key."""
    mac = sys.platform == "darwin"
    rows = {
        title: [(spoken(one.key, mac=mac), one.title) for one in SHORTCUTS if one.place == place]
        for place, title in PLACES.items()
    }
    rows[PALETTE_TITLE] = [("", title) for title in palette_titles()]
    return rows


def palette_titles() -> list[str]:
    """Return the titles of the plugin's commands that a person may call, as the manifest has them."""
    from npe2 import PluginManager

    from napari_her2._napari.commands import KEYLESS

    manifest = PluginManager.instance().get_manifest("napari-her2")
    titles = {command.id: command.title for command in manifest.contributions.commands or ()}
    return [titles[f"napari-her2.{name}"] for name in KEYLESS if f"napari-her2.{name}" in titles]


def _section(title: str, rows: list[tuple[str, str]]) -> tuple[Section, list[tuple[QLabel, QLabel]]]:
    box = Section(title)
    box.fold(False)
    grid = QGridLayout()
    grid.setHorizontalSpacing(10)
    grid.setVerticalSpacing(3)
    grid.setColumnStretch(1, 1)
    pairs = []
    for number, (key, words) in enumerate(rows):
        shown, said = label(key, "strong"), label(words, "small", wrap=True)
        shown.setMinimumWidth(92 if key else 0)
        grid.addWidget(shown, number, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(said, number, 1)
        pairs.append((shown, said))
    box.body.addLayout(grid)
    return box, pairs


def _show(pair: tuple[Any, Any], words: list[str]) -> bool:
    text = f"{pair[0].text()} {pair[1].text()}".lower()
    found = all(word in text for word in words)
    for one in pair:
        one.setVisible(found)
    return found
