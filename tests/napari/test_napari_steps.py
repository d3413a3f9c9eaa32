"""The steps of a case, the tumour area in a person's hand, and the worklist; no Qt, no window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from tests.napari import handmade

from napari_her2._napari.canvas import CaseCanvas
from napari_her2._napari.case_view import load_case
from napari_her2._napari.controller import ScoreController
from napari_her2._napari.disagreement import classes_apart
from napari_her2._napari.preferences import Preferences
from napari_her2._napari.preparing import Prepared
from napari_her2._napari.progress import RunProgress
from napari_her2._napari.pyramid import TilePyramid
from napari_her2._napari.roi import Ring, carried, mm2_of, on_one_slide
from napari_her2._napari.session import OpenSlide, Session, Tumour
from napari_her2._napari.steps import STEPS, current_step, step_states
from napari_her2._napari.tiles import TileCache, TileLoader
from napari_her2._napari.worklist import WorklistControl
from napari_her2.case import read_note
from napari_her2.events import drain
from napari_her2.geometry import Affine

if TYPE_CHECKING:
    from pathlib import Path

SQUARE = np.array([(0.0, 0.0), (0.0, 100.0), (100.0, 100.0), (100.0, 0.0)])


class AtOnce:
    """Background work that is done when it is started."""

    def start(self, make: Any, *, event: Any, result: Any, error: Any, end: Any) -> AtOnce:
        """Do all of it."""
        steps = make()
        try:
            while True:
                event(next(steps))
        except StopIteration as stop:
            result(stop.value)
        except Exception as wrong:  # noqa: BLE001 the real jobs report any error as well
            error(wrong)
        end()
        return self

    def quit(self) -> None:
        """It is over already."""


def slide(name: str = "a.tif", um: float | None = 0.5, stain: str = "ihc") -> Any:
    """Return a slide of which only the facts matter."""
    return OpenSlide(
        path=None,  # type: ignore[arg-type]
        name=name,
        shape=(100, 100),
        stated_um_per_px=um,
        stain=stain,
        pyramid=None,  # type: ignore[arg-type]
    )


def result(case: Path, **call: Any) -> Any:
    """Return a finished case for the window."""
    view = drain(load_case(case))
    return replace(view, report=handmade.report(**call), mapping=handmade.mapping())


PAIR: dict[str, Any] = {"he": slide("he.tif", stain="he"), "ihc": slide()}
PREPARED = Prepared(mapping=handmade.mapping(), outlines={"he": (SQUARE,), "ihc": (SQUARE,)})


@pytest.mark.parametrize(
    ("fields", "step", "state"),
    [
        ({}, "slides", "to do"),
        ({"activity": "opening"}, "slides", "running"),
        ({"ihc": slide(um=None)}, "slides", "needs you"),
        ({"he": slide(stain="he")}, "slides", "needs you"),
        ({"he": slide(stain="ihc"), "ihc": slide(stain="he")}, "slides", "needs you"),
        (PAIR, "slides", "done"),
        (PAIR, "align", "to do"),
        ({"ihc": slide()}, "align", "done"),
        ({**PAIR, "activity": "aligning"}, "align", "running"),
        ({**PAIR, "activity": "running", "progress": RunProgress(stage="tissue he")}, "align", "running"),
        ({**PAIR, "activity": "running", "progress": RunProgress(stage="cells")}, "align", "to do"),
        ({**PAIR, "prepared": PREPARED}, "align", "done"),
        (
            {**PAIR, "prepared": Prepared(mapping=handmade.mapping(needs_review=True))},
            "align",
            "needs you",
        ),
        (PAIR, "tumour", "to do"),
        ({**PAIR, "prepared": PREPARED}, "tumour", "needs you"),
        ({**PAIR, "prepared": PREPARED, "tumour": Tumour(rings=1)}, "tumour", "done"),
        ({**PAIR, "activity": "running"}, "analyse", "running"),
        (PAIR, "score", "to do"),
        (PAIR, "review", "to do"),
    ],
)
def test_step_states(fields: dict[str, Any], step: str, state: str) -> None:
    session = Session(**fields)
    assert list(step_states(session)) == list(STEPS)
    assert step_states(session)[step].state == state


def test_steps_of_a_scored_case(case: Path) -> None:
    session = Session(**PAIR, result=result(case))
    states = step_states(session)
    assert (states["tumour"].state, states["score"].words) == ("needs you", "3+, provisional")
    assert states["review"].state == "needs you"
    assert current_step(session) == "score"
    session.tumour = Tumour(rings=1, mm2=0.2)
    states = step_states(session)
    assert (states["tumour"].state, states["score"].words) == ("done", "out of date")
    session.tumour = Tumour()
    session.result = result(case, flags=[], borderline=False)
    assert step_states(session)["tumour"].state == step_states(session)["score"].state == "done"
    session.result = result(case, score=None, alternatives={}, category="not_scorable", path=[])
    assert step_states(session)["score"].words == "not scorable"
    session.signed = "2+"
    assert step_states(session)["review"].state == "done"


def test_the_step_to_look_at() -> None:
    session = Session()
    seen = [current_step(session)]
    session.he, session.ihc = PAIR["he"], PAIR["ihc"]
    seen.append(current_step(session))
    session.prepared = PREPARED
    seen.append(current_step(session))
    session.tumour = Tumour(rings=1)
    seen.append(current_step(session))
    session.activity = "running"
    seen.append(current_step(session))
    assert seen == ["slides", "align", "tumour", "analyse", "analyse"]


class Desk:
    """A controller and a worklist without a window."""

    def __init__(self, reader: str = "Dr A") -> None:
        self.viewer, self.session = ViewerModel(), Session(reader=reader)
        loader = TileLoader(TileCache(64 << 20))
        self.canvas = CaseCanvas(self.viewer, lambda source: TilePyramid(source, loader, live=True))
        self.control = ScoreController(self.session, self.canvas, AtOnce(), loader, Preferences())
        self.thumbnails: list[Any] = []
        self.worklist = WorklistControl(self.control, AtOnce(), self.thumbnails.append)


@pytest.fixture
def desk() -> Any:
    """A desk that is left tidy."""
    made = Desk()
    yield made
    made.worklist.close()
    made.control.close()


def test_proposal_is_confirmed_as_it_is_and_stays_on_the_he(desk: Desk, pair: tuple[Path, Path]) -> None:
    desk.control.open(pair)
    desk.session.prepared = PREPARED
    desk.canvas.show_prepared(PREPARED)
    desk.control.tumour.confirm()
    (ring,) = desk.control.tumour.rings()
    assert (ring.role, desk.session.tumour.rings) == ("he", 1)
    assert desk.session.tumour.mm2 == pytest.approx(0.01)
    desk.control.tumour.clear()
    assert desk.control.tumour.rings() == ()


def test_proposal_is_edited_on_the_ihc_and_carried_to_the_he(desk: Desk, pair: tuple[Path, Path]) -> None:
    desk.control.open(pair)
    shifted = Prepared(
        mapping=handmade.mapping(Affine.translation(30, 40)),
        outlines={"he": (SQUARE,), "ihc": (SQUARE + np.array((30, 40)),)},
    )
    desk.session.prepared = shifted
    desk.canvas.show_prepared(shifted)
    desk.control.tumour.edit_proposal()
    (ring,) = desk.control.tumour.rings()
    assert ring.role == "ihc"
    np.testing.assert_allclose(ring.points_um, SQUARE + np.array((30, 40)), atol=0.01)
    on_he: Any = desk.canvas.layer("carried")
    he: Any = desk.canvas.layer("he")
    back = Affine.from_matrix(np.asarray(he.affine)).inverse(np.asarray(on_he.data[0]))
    np.testing.assert_allclose(back.min(axis=0), (0, 0), atol=0.5)
    np.testing.assert_allclose(back.max(axis=0), (100, 100), atol=0.5)
    desk.control.tumour.draw("Necrosis")
    desk.canvas.drawing().add_polygons(SQUARE / 2 + np.array((30, 40)))  # type: ignore[union-attr]
    desk.control.tumour.drawn()
    assert (desk.session.tumour.rings, desk.session.tumour.left_out) == (1, 1)
    assert desk.session.tumour.mm2 == pytest.approx(0.0075, abs=1e-5)


def test_rings_of_both_slides_meet_on_the_ihc() -> None:
    mapping = handmade.mapping(Affine.translation(30, 40))
    both = [Ring("ihc", SQUARE), Ring("he", SQUARE, "In situ")]
    one, other = on_one_slide(both, mapping)
    assert (one.role, other.role, other.name) == ("ihc", "ihc", "In situ")
    np.testing.assert_allclose(other.points_um[0], (30, 40), atol=1e-6)
    assert on_one_slide(both, None) == both
    assert carried(carried(both[1], mapping), mapping).role == "he"
    assert mm2_of([Ring("ihc", SQUARE), Ring("ihc", SQUARE)]) == pytest.approx(0.01), "overlaps count once"


def test_classes_apart() -> None:
    one = np.array([0, 1, 2, 3, 4, 5, 255, 1], np.uint8)
    other = np.array([1, 1, 4, 5, 1, 4, 4, 0], np.uint8)
    np.testing.assert_array_equal(classes_apart(one, other), [0, 0, 2, 0, 3, 1, 0, 0])


def test_worklist_opens_goes_on_and_keeps_view_and_comment(
    desk: Desk, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        handmade.write_case(tmp_path / name, *pair)
    desk.worklist.open(tmp_path)
    assert [case.name for case in desk.session.cases] == ["a", "b"]
    assert {thumbnail.name for thumbnail in desk.thumbnails} == {"a", "b"}
    desk.worklist.go("a")
    assert desk.session.result.folder == tmp_path / "a"  # type: ignore[union-attr]
    desk.canvas.go((120.0, 340.0), 1.5)
    desk.worklist.comment("a", "look at the edge")
    assert desk.worklist._ahead is not None, "the next case is read ahead"
    desk.worklist.step(1)
    assert desk.session.result.folder == tmp_path / "b"  # type: ignore[union-attr]
    note = read_note(tmp_path / "a", "Dr A")
    assert (note.comment, note.centre_um, note.zoom) == ("look at the edge", (120.0, 340.0), 1.5)
    assert read_note(tmp_path / "a", "Dr B").comment == ""
    desk.worklist.step(1)
    assert "last case" in desk.session.message.text  # type: ignore[union-attr]
    desk.worklist.step(-1)
    assert desk.canvas.view() == ((120.0, 340.0), 1.5), "reopened at the last view"


def test_worklist_opens_slides_that_were_never_scored(desk: Desk, pair: tuple[Path, Path]) -> None:
    manifest = pair[0].parent / "list.csv"
    manifest.write_text(f"case,he,ihc\nB7,{pair[0].name},{pair[1].name}\n", encoding="utf-8")
    desk.worklist.open(manifest)
    desk.worklist.go("B7")
    assert desk.session.ihc.path == pair[1]  # type: ignore[union-attr]
    assert desk.session.settings.case_folder == manifest.parent / "B7"


def test_worklist_without_cases_says_so(desk: Desk, tmp_path: Path) -> None:
    desk.worklist.open(tmp_path)
    assert "holds no case" in desk.session.message.text  # type: ignore[union-attr]
