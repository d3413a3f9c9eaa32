"""The log that is only appended to, and the verdicts on cells that it holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_her2.errors import CaseError, OutputError
from napari_her2.review import ReviewLog, cell_entry, read_cell_verdicts
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS

if TYPE_CHECKING:
    from pathlib import Path


def test_entries_are_signed_and_appended(tmp_path: Path) -> None:
    path = tmp_path / "review.jsonl"
    path.touch()
    log = ReviewLog(path, "A. Reader")
    log.append({"act": "paint", "mask": "ihc_her2", "step": 1, "before": {"1+": 5}, "after": {"2+": 5}})
    first = path.read_bytes()
    ReviewLog(path).append({"act": "paint", "mask": "ihc_her2", "step": 2, "who": "B"})
    assert path.read_bytes().startswith(first)
    again = ReviewLog(path)
    assert [entry["who"] for entry in again.entries] == ["A. Reader", "B"]
    assert again.entries[0]["time"].endswith("+00:00")
    assert again.last_step("ihc_her2") == 2
    assert again.last_step("he_tumour") == 0
    assert len(again.of("paint")) == 2


def test_half_a_line_costs_that_line_only(tmp_path: Path) -> None:
    path = tmp_path / "review.jsonl"
    ReviewLog(path).append({"act": "a"})
    path.write_bytes(path.read_bytes() + b'{"act":"b","wh')
    ReviewLog(path).append({"act": "c"})
    log = ReviewLog(path)
    assert [entry["act"] for entry in log.entries] == ["a", "c"]
    assert log.damaged_lines == 1


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "review.jsonl"
    log = ReviewLog(path)
    log.append({"act": "a"})
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("napari_her2.review.log.os.fsync", full)
        with pytest.raises(OutputError, match="make room"):
            log.append({"act": "b"})
    assert path.read_bytes() == before
    log.append({"act": "c"})
    assert [json.loads(line)["act"] for line in path.read_text().splitlines()] == ["a", "c"]


CELLS = np.array([(10.0, 20.0), (30.0, 40.0), (50.0, 60.0), (70.0, 80.0)])


def applied(*entries: dict[str, object], moved: float = 0.0) -> tuple[list[str], list[bool], list[str]]:
    verdicts = read_cell_verdicts(entries)
    index = verdicts.matched(CELLS + moved, 4.0)
    codes, tumour, excluded = verdicts.applied(
        np.array([1, 1, 2, 3], np.uint8),
        np.array([True, True, True, False]),
        np.array([0, 0, 0, EXCLUDED_REASONS.index("not_epithelial")], np.uint8),
        index,
    )
    return [CELL_CLASSES[c] for c in codes], tumour.tolist(), [EXCLUDED_REASONS[e] for e in excluded]


def test_verdicts_exclude_include_and_class() -> None:
    classes, tumour, excluded = applied(
        cell_entry(CELLS[:2], "exclude", ["1+", "1+"], "lasso"),
        cell_entry(CELLS[1:2], "3+", ["1+ (reader)"]),
        cell_entry(CELLS[1:2], "include", ["3+ (reader)"]),
        cell_entry(CELLS[3:], "include", ["3+ (not_epithelial)"]),
    )
    assert classes == ["1+", "3+", "2+", "3+"]
    assert excluded == ["reader", "", "", ""]
    assert tumour == [True] * 4


def test_the_model_s_word_comes_back_and_acts_are_undone() -> None:
    nothing = applied()
    entry = cell_entry(CELLS, "3+", ["1+"] * 4)
    assert applied(entry, cell_entry(CELLS, "model", ["3+"] * 4)) == nothing
    assert applied(entry, {"act": "undo-cells"}) == nothing
    assert applied(entry, {"act": "undo-cells"}, {"act": "undo-cells"}) == nothing


def test_verdicts_find_the_cells_of_another_run_by_their_place() -> None:
    entry = cell_entry(CELLS[:1], "exclude", ["1+"])
    assert applied(entry, moved=2.0)[2][0] == "reader"
    assert applied(entry, moved=9.0)[2][0] == "", "too far: no cell of the new run is meant"


def test_an_entry_says_what_was_before() -> None:
    entry = cell_entry(CELLS[:3], "2+", ["1+", "0", "1+"], "lasso")
    assert entry["before"] == {"1+": 2, "0": 1}
    assert entry["xy"][0] == [20.0, 10.0]
    with pytest.raises(CaseError, match="no verdict"):
        cell_entry(CELLS, "4+", ["0"] * 4)
