"""What was looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_her2._napari.recorder import Recorder, keep_seen, read_seen
from napari_her2._napari.viewing import zoom_of
from napari_her2.events import drain

if TYPE_CHECKING:
    from pathlib import Path


def box(low: float, high: float) -> np.ndarray:
    """Return the corners of a square view."""
    return np.array([(low, low), (low, high), (high, high), (high, low)])


def test_only_places_wholly_in_view_and_near_count() -> None:
    recorder = Recorder((1000.0, 1000.0))
    assert recorder.look(box(0, 1000), zoom_of(1.25))
    assert not recorder.close.any(), "from afar no membrane is seen"
    assert recorder.look(box(95, 305), zoom_of(20))
    assert not recorder.look(box(100, 300), zoom_of(10)), "nothing new"
    assert recorder.close.sum() == 16
    points = np.array([(150.0, 150.0), (299.0, 299.0), (301.0, 150.0), (999.0, 999.0)])
    assert recorder.fraction(points) == pytest.approx(0.5)
    assert recorder.fraction(np.empty((0, 2))) == 0


def test_it_goes_on_in_the_next_session_and_readers_are_apart(tmp_path: Path) -> None:
    recorder = Recorder((500.0, 700.0))
    recorder.look(box(0, 200), zoom_of(40))
    drain(keep_seen(tmp_path, "Dr A", recorder.seen))
    again = Recorder((500.0, 700.0), read_seen(tmp_path, "Dr A"))
    np.testing.assert_array_equal(again.close, recorder.close)
    assert read_seen(tmp_path, "Dr B") is None
    other = Recorder((900.0, 700.0), read_seen(tmp_path, "Dr A"))
    assert not other.close.any(), "another slide has another map"
