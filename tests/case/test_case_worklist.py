"""A list of cases: found, their state, and readers kept apart."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from napari_her2.case import (
    DeskNote,
    WorklistCase,
    neighbour,
    open_worklist,
    read_note,
    refreshed,
    write_note,
)
from napari_her2.errors import CaseError

if TYPE_CHECKING:
    from pathlib import Path

CALL: dict[str, Any] = {"score": "2+", "flags": [], "borderline": False}


def finished(folder: Path, reader: dict[str, Any] | None = None, **call: Any) -> Path:
    """Write as much of a case as a list looks at."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.json").write_text("{}")
    (folder / "report.json").write_text(json.dumps({"call": {**CALL, **call}, "reader": reader}))
    return folder


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ({}, "sign"),
        ({"flags": ["tumour_unconfirmed"]}, "confirm the tumour"),
        ({"borderline": True, "flags": ["tumour_unconfirmed"]}, "borderline"),
        ({"borderline": True, "flags": ["needs_review"]}, "check by eye"),
        ({"score": None}, "not scorable"),
    ],
)
def test_scored_case_needs_the_reader(tmp_path: Path, call: dict[str, Any], why: str) -> None:
    finished(tmp_path / "A", **call)
    (case,) = open_worklist(tmp_path)
    assert (case.name, case.state, case.why) == ("A", "needs you", why)
    assert case.call == (call.get("score", "2+") or "not scorable")


def test_states_and_order(tmp_path: Path) -> None:
    finished(tmp_path / "run1" / "b2", {"reader": "Dr A", "score": "3+"})
    finished(tmp_path / "run1" / "A1")
    (tmp_path / "c3" / ".stages").mkdir(parents=True)
    (tmp_path / "c3" / ".stages" / "case.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    cases = open_worklist(tmp_path)
    assert [(c.name, c.state) for c in cases] == [("A1", "needs you"), ("b2", "done"), ("c3", "to do")]
    assert (cases[1].final, cases[1].reader) == ("3+", "Dr A")
    assert cases[2].why == "begun, not finished"


def test_a_damaged_report_is_told_not_raised(tmp_path: Path) -> None:
    finished(tmp_path / "A")
    (tmp_path / "A" / "report.json").write_text('{"call": 3}')
    assert "damaged" in open_worklist(tmp_path)[0].why


def test_two_readers_are_kept_apart(tmp_path: Path) -> None:
    folder = finished(tmp_path / "A", {"reader": "Dr A", "score": "3+"})
    write_note(folder, "Dr A", DeskNote(comment="see the edge", centre_um=(10.0, 20.5), zoom=2.0, field=3))
    write_note(folder, "dr a", DeskNote(comment="mine", signed="1+"))
    assert read_note(folder, "Dr A") == DeskNote(
        comment="see the edge", centre_um=(10.0, 20.5), zoom=2.0, field=3
    )
    assert read_note(folder, "Dr B") == DeskNote()
    (one,) = open_worklist(tmp_path, reader="Dr B")
    assert (one.state, one.final) == ("needs you", ""), "another reader's signature is not shown to this one"
    assert refreshed(one, "dr a").final == "1+"
    assert refreshed(one, "Dr A").final == "3+"


def test_a_damaged_note_is_an_empty_one(tmp_path: Path) -> None:
    write_note(tmp_path, "Dr A", DeskNote(comment="x"))
    (note,) = (tmp_path / ".desk").iterdir()
    for text in ("{", "[]", '{"comment": "x"}', '{"comment": 1, "signed": "", "centre_um": 3, "zoom": 1}'):
        note.write_text(text)
        assert read_note(tmp_path, "Dr A") == DeskNote()


def test_manifest(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("case,he,ihc,rule\nB,b_he.svs,sub/b_ihc.svs,gastric-biopsy\nA,,a.svs,\n,,x.svs,\n")
    first, second = open_worklist(path)
    assert first.slides == (tmp_path / "b_he.svs", tmp_path / "sub" / "b_ihc.svs")
    assert first.entered == (("rule", "gastric-biopsy"),)
    assert (second.slides, second.folder, second.state) == ((tmp_path / "a.svs",), tmp_path / "A", "to do")


@pytest.mark.parametrize("text", ["name,ihc\nA,a.svs\n", "case,he\nA,a.svs\n"])
def test_manifest_without_its_columns_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(CaseError, match="columns case"):
        open_worklist(tmp_path / "list.csv")


def test_nothing_to_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="holds no case"):
        open_worklist(tmp_path)


def test_slides_are_paired_by_name(tmp_path: Path) -> None:
    names = [
        "B12_HE.svs",
        "B12_HER2.svs",
        "her2 B13.ndpi",
        "H&E B13.ndpi",
        "B14-IHC.tif",
        "B15_he.tif",
        "x.svs",
    ]
    for name in (*names, "the_B16.svs", "notes_he.txt"):
        (tmp_path / name).touch()
    found = {case.name: [path.name for path in case.slides] for case in open_worklist(tmp_path)}
    assert found == {
        "B12": ["B12_HE.svs", "B12_HER2.svs"],
        "B13": ["H&E B13.ndpi", "her2 B13.ndpi"],
        "B14": ["B14-IHC.tif"],
    }


def test_neighbours(tmp_path: Path) -> None:
    cases = [WorklistCase(name=name, folder=tmp_path) for name in "abc"]
    steps = [
        ("a", 1, "b"),
        ("b", -1, "a"),
        ("c", 1, None),
        ("a", -1, None),
        (None, 1, "a"),
        ("gone", -1, "c"),
    ]
    for name, step, wanted in steps:
        found = neighbour(cases, name, step)
        assert (found.name if found else None) == wanted


def test_two_hundred_cases_open_at_once(tmp_path: Path) -> None:
    for k in range(200):
        finished(tmp_path / f"case{k:03}")
    started = time.process_time()
    assert len(open_worklist(tmp_path, reader="Dr A")) == 200
    assert time.process_time() - started < 2
