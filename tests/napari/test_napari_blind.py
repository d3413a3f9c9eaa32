"""Reading blind first: nothing the program says is shown until the reader has signed; a study locks it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.napari import handmade
from tests.napari.test_napari_controller import Rig
from tests.napari.test_napari_steps import AtOnce
from tests.napari.windows import open_in, wait

from napari_her2._napari.blind import HIDDEN, SHOWN_BLIND, is_blind
from napari_her2._napari.faint import UNRESOLVED, faintest
from napari_her2._napari.overlays import OVERLAYS
from napari_her2._napari.review import ReviewControl
from napari_her2._napari.signing import Signature
from napari_her2._napari.steps import current_step, step_states
from napari_her2._napari.worklist import WorklistControl
from napari_her2.case import STUDY_FILE, STUDY_SCHEMA, find_study, read_case
from napari_her2.review import ReviewLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MINE = Signature(score="1+", her2_status="negative", reader="A. Reader")


@pytest.fixture
def blind(jobs: Any) -> Iterator[Any]:
    """A controller that is asked to hide, with a reader who has not read yet."""
    rig: Any = Rig(jobs)
    rig.control.blind.wanted = True
    rig.session.reader = "A. Reader"
    rig.review = ReviewControl(rig.control, AtOnce())  # type: ignore[arg-type]
    yield rig
    rig.review.close()
    rig.control.close()


def shown(rig: Any) -> set[str]:
    return {key for key in OVERLAYS if rig.canvas.layer(key) is not None}


def test_a_finished_case_is_hidden_until_its_reader_has_signed(blind: Any, case: Path) -> None:
    blind.open(case)
    session = blind.session
    assert (session.result, session.live) == (None, None)
    assert session.unread is not None
    assert shown(blind) <= set(SHOWN_BLIND)
    assert "outline" in shown(blind), "where to read is shown"
    assert session.message.text == HIDDEN
    states = step_states(session)
    assert (states["score"].words, states["review"].words) == ("hidden", "read first")
    assert "3+" not in str(states)
    assert current_step(session) == "review"
    assert blind.review.queue == ()

    blind.review.sign(MINE)
    assert session.message.text.startswith("Signed 1+ by A. Reader; the program says 3+")
    assert session.result.report.call.score == "3+"
    assert session.live.report.call.score == "3+"
    assert "cells" in shown(blind)
    assert not session.blind
    report = read_case(case).report
    assert report.reader is not None
    assert (report.reader.blind, report.reader.score, report.reader.reason) == (True, "1+", "")
    entry = ReviewLog(case / "review.jsonl").of("sign")[0]
    assert (entry["blind"], entry["her2_status"]) == (True, "negative")

    blind.review.sign(MINE)
    assert "differs from the program" in session.message.text, "who has seen it must say why"


def test_another_reader_sees_nothing_of_it(blind: Any, case: Path) -> None:
    blind.open(case)
    blind.review.sign(MINE)
    assert blind.session.result is not None
    blind.session.reader = "B. Second"
    assert blind.session.result is None
    assert blind.session.unread is not None
    assert shown(blind) <= set(SHOWN_BLIND)
    blind.session.reader = "A. Reader"
    assert blind.session.unread is None
    assert blind.session.result is not None


def test_a_run_of_a_blind_reader_stays_hidden(
    blind: Any, pair: tuple[Path, Path], case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.napari.test_napari_controller import fake_pipeline

    fake_pipeline(monkeypatch, case)
    blind.open(*pair)
    assert blind.session.blind, "before there is a result, too"
    blind.control.change(case_folder=tmp_path / "new")
    blind.control.run()
    blind.jobs.finish()
    assert blind.session.result is None
    assert shown(blind) <= set(SHOWN_BLIND)


@pytest.mark.parametrize(
    ("content", "locks"),
    [
        (json.dumps({"schema": STUDY_SCHEMA, "name": "Trial", "blind_first": True}), True),
        (json.dumps({"schema": STUDY_SCHEMA, "name": "Trial"}), True),
        (json.dumps({"schema": STUDY_SCHEMA, "name": "Trial", "blind_first": False}), False),
        ("{not json", True),
        ("[]", True),
    ],
)
def test_a_study_locks_it_whatever_the_preference(tmp_path: Path, content: str, locks: bool) -> None:
    folder = tmp_path / "cohort" / "a"
    folder.mkdir(parents=True)
    assert find_study(folder) is None
    assert not is_blind(folder, "A", wanted=False)
    (tmp_path / "cohort" / STUDY_FILE).write_text(content)
    assert is_blind(folder, "A", wanted=False) == locks
    study = find_study(folder)
    assert study is not None
    assert study.blind_first == locks


def test_lists_and_dropped_cases_tell_nothing(
    blind: Any, case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_her2._napari import preferences
    from napari_her2._napari.reader import read_case_layers
    from napari_her2.case import open_worklist

    (case.parent / STUDY_FILE).write_text("{}")
    control = WorklistControl(blind.control, AtOnce(), lambda _: None)  # type: ignore[arg-type]
    (listed,) = [one for one in open_worklist(case.parent, reader="A. Reader") if one.folder == case]
    assert listed.call == "3+"
    assert control.hides(listed)
    control.close()
    monkeypatch.setattr(preferences, "preferences", preferences.Preferences)
    keys = [meta["metadata"]["napari_her2"]["key"] for _, meta, _ in read_case_layers(str(case))]
    assert "ihc" in keys
    assert not set(keys) - set(SHOWN_BLIND)


@pytest.mark.window
def test_docks_hide_and_show_it(viewer: Any, case: Path) -> None:
    from napari_her2._napari.widgets.arrange import open_dock

    (case.parent / STUDY_FILE).write_text("{}")
    panel = open_dock(viewer, "HER2 case")
    panel.session.reader = "A. Reader"
    open_in(panel, case)
    review = open_dock(viewer, "Review queue")
    assert panel.result.empty.text() == HIDDEN
    assert panel.result.empty.isVisible() or panel.result.folded
    assert not panel.result.whole.isVisible()
    assert review.score.currentText() == ""
    assert panel.review.queue_button.isEnabled()
    assert "Score the case first" not in panel.review.words.text()
    assert not panel.export.page_button.isEnabled()
    edit = open_dock(viewer, "Correct masks")
    edit.start.start_button.click()
    assert edit.state.message.text == HIDDEN
    review.sign_button.click()
    assert panel.session.message.text == "Choose your score first."
    review.score.setCurrentText("1+")
    review.sign_button.click()
    wait(lambda: panel.session.result is not None)
    assert not panel.result.whole.isHidden()
    assert panel.result.call.text() == "3+"


def test_the_faintest_cells_come_first_and_apart() -> None:
    table = handmade.cells()
    found = faintest(table, {}, 0.5, most=10)
    assert [cell.number for cell in found] == list(range(1, 11))
    assert [cell.intensity_od for cell in found] == sorted(cell.intensity_od for cell in found)
    import numpy as np

    places = np.array([(cell.row_px, cell.col_px) for cell in found])
    gaps = np.hypot(*(places[:, None] - places[None]).T)[~np.eye(len(places), dtype=bool)]
    assert gaps.min() * 0.5 >= 15
    counted = table.select(table.evaluable & (table.class_code == 1))
    assert found[0].intensity_od == pytest.approx(float(counted.intensity_od.min()))
    row = int(np.flatnonzero((table.row_px == found[0].row_px) & (table.col_px == found[0].col_px))[0])
    assert faintest(table, {row: "0"}, 0.5, most=10)[0].said == "0"


def test_a_word_on_a_faint_cell_goes_into_the_call(
    blind: Any, case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_her2._napari import live

    blind.control.blind.wanted = False
    monkeypatch.setattr(live, "UNRESOLVED", "flag of the handmade case")
    blind.open(case)
    assert blind.review.faint == (), "only where null or ultralow is open"
    report = json.loads((case / "report.json").read_text())
    report["call"]["flags"].append("flag of the handmade case")
    (case / "report.json").write_text(json.dumps(report))
    blind.review.refresh()
    faint = blind.review.faint
    assert 3 < len(faint) <= 24
    blind.review.next_faint()
    assert blind.viewer.scene.camera.zoom == pytest.approx(4.0)
    before = blind.session.live.report.percent
    blind.review.judge_faint(False)
    after = blind.session.live
    assert after.changed == 1
    assert after.report.percent["0"] > before["0"]
    assert after.faint[0].said == "0"
    assert blind.review.faint_shown == 2
    blind.review.judge_faint(True)
    assert blind.session.live.faint[1].said == "1+"
    assert blind.session.live.changed == 1
    assert UNRESOLVED == "null_ultralow_unresolved"
