"""Panels look as they did when a person looked at them last; and nothing of them is cut off.

After a wanted change ``NAPARI_HER2_WRITE_GOLDEN=1`` writes the pictures anew: look at them first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageDraw
from tests.napari.golden import FOLDER, MOST, check, share_of_others
from tests.napari.windows import open_in, wait

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("case_dark", "case_light", "help_dark", "edit_dark")


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_that_changed_is_told(name: str) -> None:
    """The comparison itself can fail: colours, a missing part, the other theme."""
    picture = Image.open(FOLDER / f"{name}.png").convert("RGB")
    assert share_of_others(picture, picture) == 0
    moved = Image.new("RGB", picture.size, picture.getpixel((2, 2)))
    moved.paste(picture, (1, 2))
    assert share_of_others(picture, moved) <= MOST, "two pixels are a font's matter"
    other = picture.copy()
    other.paste((200, 60, 60), (0, 0, picture.width, picture.height // 4))
    assert share_of_others(picture, other) > MOST
    turned = Image.eval(picture, lambda value: 255 - value)
    assert share_of_others(picture, turned) > MOST
    flat = picture.copy()
    ImageDraw.Draw(flat).rectangle((0, 0, picture.width, picture.height), fill=picture.getpixel((2, 2)))
    assert share_of_others(picture, flat) > MOST / 4


def folded(widget: Any) -> bool:
    """Whether a card about the widget is folded: its content is there and has no height."""
    above = widget.parentWidget()
    while above is not None:
        if above.height() == 0:
            return True
        above = above.parentWidget()
    return False


def clipped(widget: Any) -> list[str]:
    """Return the labels and buttons whose text has no room: of one line only, as the others wrap."""
    from qtpy.QtWidgets import QAbstractButton, QComboBox, QLabel, QScrollArea

    told = [
        f"what scrolls is wider than its {area.viewport().width()} px"
        for area in widget.findChildren(QScrollArea)
        if area.isVisible() and area.widget().minimumSizeHint().width() > area.viewport().width()
    ]
    for one in widget.findChildren(QLabel) + widget.findChildren(QAbstractButton):
        if not one.isVisible() or not one.text() or isinstance(one.parent(), QComboBox) or folded(one):
            continue
        wraps = isinstance(one, QLabel) and one.wordWrap()
        if not wraps and one.width() + 1 < one.minimumSizeHint().width():
            told.append(f"{one.text()!r}: {one.width()} of {one.minimumSizeHint().width()} px")
        if one.height() + 1 < min(one.minimumSizeHint().height(), one.fontMetrics().height()):
            told.append(f"{one.text()!r}: {one.height()} px high")
    return told


def rest() -> None:
    """Let the window lay itself out."""
    from napari_her2._napari.worker import wait_until

    wait_until(lambda: False, 0.4)


@pytest.mark.window
def test_panels_look_as_they_did(viewer: Any, case: Path) -> None:
    from napari_her2._napari.widgets.arrange import open_dock

    viewer.window.resize(1280, 800)
    viewer.theme = "dark"
    panel = open_dock(viewer, "HER2 case")
    open_in(panel, case)
    wait(lambda: panel.session.live is not None)
    rest()
    check(panel, "case_dark")
    assert clipped(panel) == []
    viewer.theme = "light"
    rest()
    check(panel, "case_light")
    viewer.theme = "dark"
    for name, dock in (("review", "Review queue"), ("worklist", "HER2 worklist")):
        made = open_dock(viewer, dock)
        if name == "worklist":
            made.control.open(case.parent)
            wait(lambda made=made: made.model.rowCount() > 0)
        else:
            wait(lambda made=made: made.pictured >= len(made.control.queue) > 0)
        rest()
        assert clipped(made) == []
        # How such a dock is laid out depends on the windows before it, also where it floats: no picture.
        made.parent().setFloating(True)
        made.setFixedSize(1238, 298)
        rest()
        assert clipped(made) == []
        viewer.window.remove_dock_widget(made.parent())
    for name, dock in (("help", "HER2 help"), ("edit", "Correct masks")):
        made = open_dock(viewer, dock)
        if name == "edit":
            made.start.start_button.click()
            wait(lambda made=made: made.state.active)
        wait(lambda made=made: made.isVisible())
        rest()
        check(made, f"{name}_dark")
        assert clipped(made) == []
        viewer.window.remove_dock_widget(made.parent())
