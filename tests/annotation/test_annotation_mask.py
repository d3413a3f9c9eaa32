"""Painting, undoing and redoing on the pyramid; and what an opening finds after things went wrong."""

from __future__ import annotations

import shutil
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.annotation.strokes import Log, facts, opened, painted, stroke

from napari_her2.annotation import AreaStroke, EditableMask, SavedMask, polygon_of, rasterised
from napari_her2.annotation.classes import to_codes, to_labels
from napari_her2.errors import CaseError, OutputError
from napari_her2.geometry import Box
from napari_her2.store.label_pyramid import halve_codes

if TYPE_CHECKING:
    from pathlib import Path


def whole(mask: EditableMask) -> np.ndarray[Any, Any]:
    return mask.read(Box.of_shape(mask.facts.shape))


def test_codes_and_labels_are_inverse_and_untouched_shows_the_model() -> None:
    labels = np.array([0, 1, 4, 5, 255], np.uint8)
    codes = to_codes(labels)
    assert codes.tolist() == [1, 2, 5, 6, 255]
    model = np.full(5, 3, np.uint8)
    assert to_labels(codes, model).tolist() == labels.tolist()
    assert to_labels(np.zeros(5, np.uint8), model).tolist() == [3] * 5


ACTS = st.lists(
    st.one_of(
        st.tuples(
            st.integers(-50, 900),
            st.integers(-50, 1100),
            st.integers(1, 300),
            st.integers(0, 6),
            st.integers(0, 2),
        ),
        st.sampled_from(["undo", "redo", "reopen"]),
    ),
    max_size=10,
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_a_mask_is_what_a_list_of_arrays_would_be(tmp_path: Path, acts: list[Any]) -> None:
    shutil.rmtree(tmp_path / "m", ignore_errors=True)
    shape = (1000, 1200)
    log = Log()
    mask = opened(tmp_path / "m", log, shape)
    states, at = [np.zeros(shape, np.uint8)], 0
    for act in acts:
        if act == "reopen":
            mask.close()
            mask = opened(tmp_path / "m", log, shape)
        elif act == "undo":
            at -= mask.undo() is not None
        elif act == "redo":
            at += mask.redo() is not None
        else:
            after = states[at].copy()
            painted(after, stroke(*act))
            if mask.paint(stroke(*act)) is not None:
                states, at = [*states[: at + 1], after], at + 1
            else:
                assert (after == states[at]).all()
        assert (whole(mask) == states[at]).all()
        assert (mask.can_undo, mask.can_redo) == (at > 0, at < len(states) - 1)
    levels = mask.pyramid.levels
    for fine, coarse in pairwise(levels):
        assert (halve_codes(fine[:]) == coarse[:]).all()
    mask.close()


def test_every_step_is_logged_once_with_what_was_said_about_it(tmp_path: Path) -> None:
    log = Log()
    mask = opened(tmp_path / "m", log)
    mask.paint(stroke(10, 10, 20, 3, who="A. Reader", tool="brush"))
    mask.undo()
    mask.redo()
    mask.close()
    opened(tmp_path / "m", log).close()
    assert [(e["act"], e["step"], e.get("of"), e["who"]) for e in log.entries] == [
        ("paint", 1, None, "A. Reader"),
        ("undo", 2, 1, "A. Reader"),
        ("redo", 3, 1, "A. Reader"),
    ]


def test_one_window_at_a_time(tmp_path: Path) -> None:
    mask = opened(tmp_path / "m")
    with pytest.raises(OutputError, match="ihc_her2"):
        opened(tmp_path / "m")
    mask.close()
    opened(tmp_path / "m").close()


@pytest.mark.parametrize("change", [{"shape": (3000, 4001)}, {"sha256": "b" * 64}])
def test_corrections_of_another_slide_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    EditableMask(tmp_path / "m", facts(sha256="a" * 64), Log()).close()
    with pytest.raises(CaseError, match="another slide"):
        EditableMask(tmp_path / "m", facts(**{"sha256": "a" * 64, **change}), Log())
    EditableMask(tmp_path / "m", facts(), Log()).close()


def test_what_is_saved_is_read_while_another_paints(tmp_path: Path) -> None:
    with pytest.raises(CaseError):
        SavedMask(tmp_path / "m")
    mask = opened(tmp_path / "m")
    saved = SavedMask(tmp_path / "m")
    mask.paint(stroke(100, 100, 50, 3))
    assert (saved.read(Box(0, 0, 300, 300)) == mask.read(Box(0, 0, 300, 300))).all()
    assert saved.read(Box(50, 50, 50, 50), 1).any()
    mask.close()


def test_read_only_folder(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    folder.chmod(0o555)
    with pytest.raises(OutputError, match="read-only"):
        opened(folder)
    folder.chmod(0o755)


# ------------------------------------------------------------------ damage


def three_strokes(folder: Path) -> tuple[np.ndarray[Any, Any], list[int]]:
    """Paint three times; return the pixels and where each record ends."""
    mask = opened(folder)
    ends = []
    for n in range(3):
        mask.paint(stroke(100 + 300 * n, 200, 400, n + 2))
        ends.append((folder / "journal.bin").stat().st_size)
    pixels = whole(mask)
    mask.close()
    return pixels, ends


def test_an_unfinished_last_record_is_cut_off(tmp_path: Path) -> None:
    pixels, ends = three_strokes(tmp_path / "m")
    journal = tmp_path / "m" / "journal.bin"
    content = journal.read_bytes()
    for tail in (content[ends[1] : ends[1] + n] for n in (1, 5, 20, ends[2] - ends[1] - 1)):
        journal.write_bytes(content + tail)
        mask = opened(tmp_path / "m")
        assert not mask.notes
        assert (whole(mask) == pixels).all()
        assert mask.can_undo
        mask.close()
        assert journal.read_bytes() == content


def test_damage_in_the_middle_keeps_the_mask_and_the_steps_after_it(tmp_path: Path) -> None:
    pixels, ends = three_strokes(tmp_path / "m")
    journal = tmp_path / "m" / "journal.bin"
    content = bytearray(journal.read_bytes())
    content[ends[0] + 40] ^= 0xFF
    journal.write_bytes(content)
    mask = opened(tmp_path / "m")
    assert len(mask.notes) == 1
    assert "journal.bin is damaged" in mask.notes[0]
    assert (whole(mask) == pixels).all()
    assert (tmp_path / "m" / "journal.damaged-1.bin").read_bytes() == bytes(content)
    assert mask.undo() is not None, "the stroke after the damage"
    assert mask.undo() is None, "none before it"
    mask.close()
    again = opened(tmp_path / "m")
    assert not again.notes
    again.close()


@pytest.mark.parametrize("content", [b"", b"nothing of the kind" * 50, bytes(5000)])
def test_a_journal_that_is_none_costs_the_history_not_the_mask(tmp_path: Path, content: bytes) -> None:
    pixels, _ = three_strokes(tmp_path / "m")
    log = Log()
    (tmp_path / "m" / "journal.bin").write_bytes(content)
    mask = opened(tmp_path / "m", log)
    assert bool(mask.notes) == bool(content)
    assert (whole(mask) == pixels).all()
    mask.paint(stroke(2000, 2000, 50, 5))
    assert log.entries[-1]["step"] == 4, "numbers are never given twice"
    mask.undo()
    assert (whole(mask) == pixels).all()
    mask.close()


def test_lost_labels_are_made_anew_from_the_journal(tmp_path: Path) -> None:
    pixels, _ = three_strokes(tmp_path / "m")
    for damage in (lambda p: shutil.rmtree(p), lambda p: (p / "zarr.json").write_text("{")):
        damage(tmp_path / "m" / "labels.zarr")
        mask = opened(tmp_path / "m")
        assert (whole(mask) == pixels).all()
        mask.close()


def test_chunks_that_the_disk_forgot_come_back(tmp_path: Path) -> None:
    pixels, _ = three_strokes(tmp_path / "m")
    state = tmp_path / "m" / "state.json"
    state.write_text(state.read_text().replace('"clean": true', '"clean": false'))
    shutil.rmtree(tmp_path / "m" / "labels.zarr" / "0" / "c")
    mask = opened(tmp_path / "m")
    assert (whole(mask) == pixels).all()
    mask.close()


def full(*_: Any) -> int:
    raise OSError(28, "No space left on device")


def test_a_full_disk_loses_nothing_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = opened(tmp_path / "m")
    mask.paint(stroke(0, 0, 100, 2))
    before, size = whole(mask), (tmp_path / "m" / "journal.bin").stat().st_size
    with monkeypatch.context() as patch:
        patch.setattr("napari_her2.annotation.journal.os.fsync", full)
        with pytest.raises(OutputError, match="make room"):
            mask.paint(stroke(500, 500, 100, 3))
    assert (whole(mask) == before).all()
    assert (tmp_path / "m" / "journal.bin").stat().st_size == size
    assert mask.paint(stroke(500, 500, 100, 3)) is not None
    mask.close()


def test_a_stroke_in_the_journal_is_carried_out_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    mask = opened(tmp_path / "m", log)
    with monkeypatch.context() as patch:
        patch.setattr(type(mask.pyramid), "write", full)
        assert mask.paint(stroke(0, 0, 100, 2)) is not None
        assert "is safe" in mask.notes[-1]
        with pytest.raises(OutputError, match="room on the disk"):
            mask.paint(stroke(0, 500, 100, 2))
    assert not whole(mask).any()
    mask.paint(stroke(0, 500, 100, 3))
    assert set(np.unique(whole(mask))) == {0, 2, 3}
    assert [entry["step"] for entry in log.entries] == [1, 2]
    mask.close()


def test_an_area_of_any_size_is_filled_to_the_pixel_and_taken_back(tmp_path: Path) -> None:
    mask = opened(tmp_path / "m", shape=(3000, 4000))
    ring = polygon_of([(-50, 100), (2500, 700), (2900, 3999), (300, 3000)])
    step = mask.paint(AreaStroke(shape=ring, code=4, about={"tool": "area"}))
    assert step is not None
    expected = rasterised(ring, Box(0, 0, 3000, 4000))
    assert ((whole(mask) == 4) == expected).all()
    mask.undo()
    assert not whole(mask).any()
    mask.close()
