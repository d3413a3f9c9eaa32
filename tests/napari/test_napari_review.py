"""Verdicts, the score that follows, ISH, the signature; on a controller without a window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.napari import handmade
from tests.napari.test_napari_steps import AtOnce, Desk

from napari_her2._napari.live import flip_words
from napari_her2._napari.review import ReviewControl
from napari_her2._napari.score_view import score_view
from napari_her2._napari.signing import Signature
from napari_her2.case import open_worklist, read_case, read_note
from napari_her2.case.sealing import verify_case
from napari_her2.review import ReviewLog

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def desk() -> Any:
    """A desk that is left tidy."""
    made = Desk()
    made.review = ReviewControl(made.control, AtOnce())  # type: ignore[attr-defined]
    yield made
    made.review.close()  # type: ignore[attr-defined]
    made.worklist.close()
    made.control.close()


def test_score_follows_verdicts_and_the_report_on_disk_stays(desk: Any, case: Path) -> None:
    before = (case / "report.json").read_bytes()
    desk.control.open([case])
    live = desk.session.live
    assert live.report.call.score == "3+"
    assert live.changed == 0
    assert live.flips
    words = flip_words(live.flips)
    assert "complete, intense" in words[0]
    assert words[0].endswith("→ 2+")
    number = live.queue[0].number
    desk.review.go(number)
    inside = live.queue[0].cells
    desk.review.judge("excluded", "fold")
    assert desk.session.live.changed == inside
    assert desk.session.live.report.cells.evaluable == live.report.cells.evaluable - inside
    assert desk.review.progress[0] == 1
    for field in desk.review.queue[1:]:
        desk.session.field = field.number
        desk.review.judge("1+")
    assert desk.session.live.report.call.score == "1+"
    assert score_view(desk.session.live.report).call == "1+"
    assert desk.review.progress == (len(live.queue), len(live.queue))
    assert (case / "report.json").read_bytes() == before
    acts = [entry["act"] for entry in ReviewLog(case / "review.jsonl").entries]
    assert acts[:2] == ["cells", "field"]


def test_fields_fill_the_view_and_go_on(desk: Any, case: Path) -> None:
    desk.control.open([case])
    desk.canvas.viewer.canvas.size = (500, 800)
    desk.review.step(1)
    assert desk.session.field == 1
    field = desk.review.field
    centre, zoom = desk.canvas.view()
    np.testing.assert_allclose(centre, np.array(field.centre_px) * handmade.UM)
    assert zoom == pytest.approx(0.9 * 500 / 250)
    desk.review.judge("accepted")
    assert desk.session.field == 2
    desk.review.step(-1)
    desk.review.step(-1)
    assert desk.session.field == 1
    desk.review.judge("comment", "ask a colleague")
    assert desk.session.field == 1, "a comment does not go on"
    assert desk.session.live.verdicts.comments_on(desk.review.field) == ("ask a colleague",)


def test_pictures_of_both_stains(desk: Any, case: Path) -> None:
    found: list[Any] = []
    desk.review.pictured.connect(found.append)
    desk.control.open([case])
    assert not found, "only made where somebody looks"
    desk.review.make_pictures()
    assert len(found) == len(desk.review.queue)
    assert found[0].ihc.shape[2] == 3
    assert found[0].he is None, "this case has no mapping"


@pytest.mark.parametrize(
    ("ish", "status"),
    [
        ({"probe": "dual", "ratio": 2.5, "her2_copies": 6.5, "cells": 40}, "positive"),
        ({"probe": "dual", "ratio": 1.2, "her2_copies": 2.5, "cells": 40}, "negative"),
        ({}, "equivocal"),
    ],
)
def test_ish_settles_the_status_of_an_equivocal_score(
    desk: Any, pair: tuple[Path, Path], tmp_path: Path, ish: dict[str, Any], status: str
) -> None:
    desk.control.open([handmade.write_case(tmp_path / "case", *pair)])
    for field in desk.review.queue:
        desk.session.field = field.number
        desk.review.judge("2+")
    assert desk.session.live.report.call.score == "2+"
    desk.review.give_ish(ish)
    assert desk.session.live.report.her2_status == status
    assert dict(desk.session.settings.ish) == ish


def test_ish_that_cannot_be_is_told(desk: Any, case: Path) -> None:
    desk.control.open([case])
    desk.review.give_ish({"probe": "dual", "her2_copies": -3})
    assert desk.session.message.kind == "error"


def test_signature_is_written_sealed_and_shown_in_the_list(desk: Any, case: Path) -> None:
    desk.control.open([case])
    other = Signature(score="2+", her2_status="equivocal", reader="Dr A")
    desk.review.sign(other)
    assert "say why" in desk.session.message.text
    assert read_case(case).report.final is None
    desk.review.sign(Signature(score="2+", her2_status="equivocal", reader="Dr A", reason="weak edges"))
    report = read_case(case).report
    assert (report.final.score, report.reader.reason, report.call.score) == ("2+", "weak edges", "3+")  # type: ignore[union-attr]
    assert desk.session.signed == "2+"
    assert verify_case(read_case(case), slides=False).intact
    assert read_note(case, "Dr A").signed == "2+"
    (entry,) = ReviewLog(case / "review.jsonl").of("sign")
    assert (entry["who"], entry["after"]) == ("Dr A", "2+")
    (line,) = open_worklist(case, reader="Dr A")
    assert (line.state, line.final) == ("done", "2+")


def test_signature_needs_a_name(desk: Any, case: Path) -> None:
    desk.control.open([case])
    desk.review.sign(Signature(score="3+", her2_status="positive", reader=" "))
    assert "needs a name" in desk.session.message.text


def test_verdicts_that_the_report_has_are_no_news_and_can_still_be_taken_back(desk: Any, case: Path) -> None:
    from napari_her2._napari.live import with_live
    from napari_her2.case import write_cells
    from napari_her2.pipeline import judged_cells
    from napari_her2.review import read_cell_verdicts

    desk.control.open([case])
    desk.review.go(desk.session.live.queue[0].number)
    inside = desk.session.live.queue[0].cells
    desk.review.judge("excluded")
    live = desk.session.live
    view = with_live(score_view(live.report), live)
    assert view.heading == f"Provisional: tumour area not confirmed; with your verdicts on {inside} cells"
    # as the next run leaves it: the table as it counts, and the one before verdicts
    bundle = read_case(case)
    plain, said = bundle.cells(), read_cell_verdicts(ReviewLog(bundle.files.review).entries)
    write_cells(bundle.files.unjudged, plain)
    write_cells(bundle.files.cells, judged_cells(plain, said, handmade.UM)[0])
    desk.review.refresh()
    assert desk.session.live.changed == 0
    assert desk.session.live.report.percent == live.report.percent
    ReviewLog(bundle.files.review).append({"act": "undo-cells"})
    desk.review.refresh()
    assert desk.session.live.changed == inside, "what is taken back differs from the report now"
    assert desk.session.live.report.cells.evaluable == live.report.cells.evaluable + inside
