"""Pairs of places that a person sets: the alignment follows, is kept, and dates the results; no window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.napari import handmade
from tests.napari.test_napari_steps import AtOnce, Desk

from napari_her2._napari.landmarking import LandmarkControl
from napari_her2._napari.preparing import Prepared
from napari_her2._napari.refitting import Ground, bend, landmarks_file, restored
from napari_her2._napari.roi import Ring
from napari_her2._napari.steps import step_states
from napari_her2.geometry import Affine
from napari_her2.mapping import Landmarks, load_mapping, read_landmarks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HE = np.array([(300.0, 400.0), (700.0, 1500.0), (1200.0, 500.0), (1100.0, 1400.0)])
NONE = Landmarks.of()
AWAY = np.array((60.0, 0.0))
SQUARE = np.array([(200.0, 200.0), (200.0, 400.0), (400.0, 400.0), (400.0, 200.0)])


class Waiting:
    """Background work that is done when the test says so."""

    def __init__(self) -> None:
        self.todo: list[Any] = []

    def start(self, make: Any, *, event: Any, result: Any, error: Any, end: Any) -> Waiting:
        """Note it."""
        self.todo.append((make, event, result, error, end))
        return self

    def quit(self) -> None:
        """Never asked."""

    def do_one(self) -> None:
        """Do what was asked first."""
        make, event, result, error, end = self.todo.pop(0)
        AtOnce().start(make, event=event, result=result, error=error, end=end)


@pytest.fixture
def desk(pair: tuple[Path, Path], tmp_path: Path) -> Iterator[Any]:
    """A pair that was just aligned, with a tumour area proposed on the H&E."""
    made = Desk()
    made.control.open(pair)
    made.control.change(case_folder=tmp_path / "case")
    made.control._prepared(
        Prepared(mapping=handmade.mapping(error_um=40.0), outlines={"he": (SQUARE,), "ihc": (SQUARE,)})
    )
    yield made
    made.worklist.close()
    made.control.close()


def test_a_pair_is_set_by_two_clicks_and_the_alignment_follows(desk: Any, tmp_path: Path) -> None:
    control = LandmarkControl(desk.control, AtOnce())
    control.point("he", HE[0])
    begun = control.state.begun
    assert begun is not None
    np.testing.assert_allclose(begun.on("ihc"), HE[0], err_msg="the alignment proposes its own place")
    assert desk.session.refit is None, "half a pair changes nothing"
    control.point("ihc", HE[0] + AWAY)
    assert control.state.begun is None
    assert control.state.chosen == 0
    refit = desk.session.refit
    there = desk.session.mapping.he_to_ihc(HE[:1])[0]
    assert np.linalg.norm(there - (HE[0] + AWAY)) <= 12, "bent to within the 5 µm of a pair"
    far = desk.session.mapping.he_to_ihc(np.array([(1400.0, 1900.0)]))[0]
    np.testing.assert_allclose(far, (1400.0, 1900.0), atol=6, err_msg="far from the pair little changes")
    assert refit.left_out_um == pytest.approx([30.0], abs=1.0), "left out, it is 60 px of 0.5 µm off"
    kept = read_landmarks(landmarks_file(tmp_path / "case"))
    np.testing.assert_allclose(kept.ihc_px[0], HE[0] + AWAY, atol=1e-3)
    stored = load_mapping(landmarks_file(tmp_path / "case").parent / "mapping.json")
    np.testing.assert_allclose(stored.he_to_ihc(HE), desk.session.mapping.he_to_ihc(HE), atol=0.01)


def test_areas_follow_at_once(desk: Any) -> None:
    control = LandmarkControl(desk.control, AtOnce())
    desk.canvas.fill_drawing([Ring("ihc", SQUARE)])
    desk.control.tumour.drawn()
    before = np.asarray(desk.canvas.layer("carried").data[0])
    for place in HE:
        control.point("he", place)
        control.point("ihc", place + AWAY)
    moved = desk.session.outlines["ihc"][0] - SQUARE
    np.testing.assert_allclose(np.median(moved, axis=0), (30.0, 0.0), atol=3, err_msg="30 µm down the IHC")
    np.testing.assert_array_equal(desk.session.outlines["he"][0], SQUARE, "found there, it stays there")
    shown = np.asarray(desk.canvas.layer("outline").data[0])[:-1]
    np.testing.assert_allclose(shown, desk.session.outlines["ihc"][0])
    after = np.asarray(desk.canvas.layer("carried").data[0])
    assert np.abs(after - before).max() > 5, "what was drawn on the IHC lies elsewhere on the H&E now"


def test_move_delete_undo_and_redo(desk: Any) -> None:
    control = LandmarkControl(desk.control, AtOnce())
    for place in HE[:2]:
        control.point("ihc", place)
        control.accept()
    straight = desk.session.mapping.he_to_ihc(HE)
    np.testing.assert_allclose(straight, HE, atol=0.5, err_msg="pairs on the map leave it where it is")
    assert control.near("ihc", HE[1] + (3, 3), 10) == 1
    assert control.near("ihc", HE[1] + (30, 30), 10) is None
    for step in (10.0, 20.0, 30.0):
        control.move(1, "ihc", HE[1] + (step, 0))
    control.release()
    np.testing.assert_allclose(control.state.pairs.ihc_px[1], HE[1] + (30.0, 0))
    moved = desk.session.mapping.he_to_ihc(HE[1:2])[0]
    assert moved[0] - HE[1, 0] > 20
    control.undo()
    np.testing.assert_allclose(control.state.pairs.ihc_px[1], HE[1], err_msg="a drag is one step")
    np.testing.assert_allclose(desk.session.mapping.he_to_ihc(HE), straight, atol=1e-6)
    control.redo()
    np.testing.assert_allclose(desk.session.mapping.he_to_ihc(HE[1:2])[0], moved)
    control.choose(0)
    control.delete()
    np.testing.assert_allclose(control.state.pairs.he_px, HE[1:2])
    control.undo()
    assert len(control.state.pairs) == 2
    control.point("he", HE[2])
    control.undo()
    assert control.state.begun is None, "a pair that was begun is given up first"
    assert len(control.state.pairs) == 2


def test_a_drag_is_followed_without_a_queue(desk: Any, tmp_path: Path) -> None:
    jobs = Waiting()
    control = LandmarkControl(desk.control, jobs)
    control.point("he", HE[0])
    control.accept()
    jobs.do_one()
    written = landmarks_file(tmp_path / "case").read_text()
    for step in range(1, 6):
        control.move(0, "ihc", HE[0] + (10.0 * step, 0))
    assert len(jobs.todo) == 1, "one round runs, all further steps wait for one more"
    jobs.do_one()
    assert landmarks_file(tmp_path / "case").read_text() == written, "nothing is written in mid-drag"
    control.release()
    jobs.do_one()
    while jobs.todo:
        jobs.do_one()
    assert not control.state.busy
    np.testing.assert_allclose(desk.session.refit.landmarks.ihc_px[0], HE[0] + (50.0, 0))
    assert landmarks_file(tmp_path / "case").read_text() != written


def test_csv_goes_in_and_out(desk: Any, tmp_path: Path) -> None:
    control = LandmarkControl(desk.control, AtOnce())
    for place in HE:
        control.point("he", place)
        control.accept()
    control.write(tmp_path / "out.csv")
    control.delete()
    control.read(tmp_path / "out.csv")
    np.testing.assert_allclose(control.state.pairs.he_px, HE, atol=1e-3)
    (tmp_path / "bad.csv").write_text("he_x,he_y,ihc_x,ihc_y\n1,1,90000,1\n")
    control.read(tmp_path / "bad.csv")
    assert len(control.state.pairs) == len(HE)
    assert desk.session.message.kind == "error"
    assert "bad.csv" in desk.session.message.text


def test_a_scored_case_is_out_of_date_and_opens_as_it_was_left(case: Path) -> None:
    handmade.mapping().save(case / "mapping.json")
    first = Desk()
    first.control.open([case])
    assert not first.session.outdated
    control = LandmarkControl(first.control, AtOnce())
    control.point("he", HE[0])
    control.point("ihc", HE[0] + (40.0, 10.0))
    assert first.session.outdated
    assert step_states(first.session)["score"].words == "out of date"
    there = first.session.mapping.he_to_ihc(HE)
    first.worklist.close()
    first.control.close()
    again = Desk()
    again.control.open([case])
    assert again.session.outdated
    np.testing.assert_allclose(again.session.mapping.he_to_ihc(HE), there, atol=0.05)
    second = LandmarkControl(again.control, AtOnce())
    assert len(second.state.pairs) == 1
    run = again.control._case_run()
    assert run is not None
    assert (
        read_landmarks(run.request().recipe.landmarks).ihc_px
        == pytest.approx(  # type: ignore[arg-type]
            HE[:1] + np.array((40.0, 10.0)), abs=1e-3
        )
    )
    second.delete(0)
    assert not again.session.outdated, "without pairs the results stand as they were made"
    emptied = again.control._case_run()
    assert emptied is not None
    assert emptied.request().recipe.landmarks is None
    assert emptied.request().forget == ("landmarks",), "an earlier run's pairs do not come back"
    again.worklist.close()
    again.control.close()


def test_pairs_that_a_run_has_used_date_nothing(tmp_path: Path) -> None:
    made = handmade.mapping(Affine.translation(20, 0))
    pairs = Landmarks.of(HE, HE + np.array((40.0, 0.0)))
    base = handmade.mapping()
    bent = bend(Ground(mapping=base, used=Landmarks.of(), base=base), pairs)
    from napari_her2._napari.refitting import keep

    keep(tmp_path, bent)
    found = restored(tmp_path, made, pairs, outlines={}, source="he")
    assert found is not None
    assert not found.changed
    assert found.mapping is made, "the alignment of the run, not one bent from it"
    assert found.ground.judged
    np.testing.assert_allclose(found.left_out_um, bent.left_out_um, rtol=0.05)
    assert restored(tmp_path / "none", made, None, outlines={}, source="he") is None


def test_pairs_against_the_others_are_told(tmp_path: Path) -> None:
    base = handmade.mapping(error_um=5.0)
    wrong = Landmarks.of(HE, HE + np.array([(0, 0), (0, 0), (0, 0), (0, 300.0)]))
    found = bend(Ground(mapping=base, used=Landmarks.of(), base=base), wrong)
    assert found.against.tolist() == [False, False, False, True]
    loose = handmade.mapping(error_um=40.0)
    alike = Landmarks.of(HE, HE + np.array([(2, 0), (3, 1), (2, -1), (2, 1.0)]))
    assert not bend(Ground(mapping=loose, used=NONE, base=loose), alike).against.any()
    odd = alike.moved(3, ihc_px=alike.ihc_px[3] + np.array((80.0, 0.0)))
    found = bend(Ground(mapping=loose, used=NONE, base=loose), odd)
    assert found.left_out_um[3] < 120, "within three stated errors"
    assert found.against.tolist() == [False, False, False, True], "and yet unlike the others"


def test_pairs_set_while_reading_blind_outlive_the_reveal(case: Path) -> None:
    handmade.mapping().save(case / "mapping.json")
    desk = Desk()
    desk.control.blind.wanted = True
    desk.control.open([case])
    assert desk.session.result is None
    assert desk.session.unread is not None
    control = LandmarkControl(desk.control, AtOnce())
    control.point("he", HE[0])
    control.point("ihc", HE[0] + AWAY)
    bent = desk.session.refit
    assert bent is not None
    desk.control.blind.wanted = False
    desk.control.show_case(desk.session.unread)
    assert desk.session.result is not None
    assert desk.session.refit is bent
    assert desk.session.outdated
    desk.worklist.close()
    desk.control.close()
