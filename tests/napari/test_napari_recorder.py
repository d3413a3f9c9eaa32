"""What was looked at, and the maps of the navigator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.napari import handmade

from napari_her2._napari.case_view import load_case
from napari_her2._napari.in_small import areas_in_small, in_small
from napari_her2._napari.recorder import Recorder, keep_seen, read_seen
from napari_her2._napari.roi import Ring
from napari_her2._napari.viewing import zoom_of
from napari_her2.events import drain
from napari_her2.geometry import Affine

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


def test_maps_in_small_lie_where_the_large_ones_do(case: Path) -> None:
    view = drain(load_case(case))
    size = (handmade.SHAPE[0] * handmade.UM, handmade.SHAPE[1] * handmade.UM)
    mapping = handmade.mapping(Affine.translation(0.0, 200.0))
    heat = drain(in_small(view, size, mapping)).maps["heat"]
    assert max(heat.shape[:2]) == 240
    straight = drain(in_small(view, size, handmade.mapping())).maps["heat"]
    step = max(size) / 240
    shift = round(200.0 / step)
    moved, still = heat[:, shift + 2 :, 3].astype(int), straight[:, : -shift - 2, 3]
    assert straight[..., 3].max() > 100
    assert np.abs(moved - still[:, : moved.shape[1]]).mean() < 6, "found on the H&E, it is carried to the IHC"
    assert drain(in_small(view, size, None)).maps.keys() <= {"classes"}, "unaligned it cannot be carried"


def test_areas_in_small_are_those_of_the_person() -> None:
    square = np.array([(0.0, 0.0), (0.0, 100.0), (100.0, 100.0), (100.0, 0.0)])
    mapping = handmade.mapping(Affine.translation(20.0, 10.0))
    assert areas_in_small([], [square], mapping) == (square,)
    drawn = [Ring("he", square), Ring("ihc", square + 300, "Necrosis")]
    found = areas_in_small(drawn, [square], mapping)
    assert len(found) == 1
    np.testing.assert_allclose(found[0].min(axis=0), (20, 10), atol=1e-3)
