"""The bar of the scores by sampling alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtGui import QPainter

from napari_her2._napari.widgets.bars import AlternativesBar
from napari_her2._napari.widgets.look import look_of

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


@pytest.mark.parametrize(("probability", "expected"), [(1.0, "3+  > 99%"), (0.94, "3+  94%")])
def test_sampling_alone_is_never_certain(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, probability: float, expected: str
) -> None:
    painted: list[str] = []
    monkeypatch.setattr(QPainter, "drawText", lambda *found: painted.append(str(found[-1])))
    bar = AlternativesBar(look_of("dark"))
    qtbot.addWidget(bar)
    bar.resize(300, bar.HEIGHT)
    bar.show_parts((("3+", probability),))
    bar.grab()
    assert painted == [expected]
