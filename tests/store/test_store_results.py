"""Journals and results: what is kept, what a broken end loses, whose folder it is."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_her2.errors import CaseError, OutputError
from napari_her2.store import Journal, ResultStore, read_journal, read_results

if TYPE_CHECKING:
    from pathlib import Path

PLANNED = np.indices((5, 7)).reshape(2, -1).T[3:].astype(np.int64)


def store(folder: Path, key: str = "k" * 8, **more: Any) -> ResultStore:
    return ResultStore(folder, key=key, shape=(5, 7), classes=("light", "dark"), planned=PLANNED, **more)


def answers(cells: np.ndarray) -> np.ndarray:
    dark = ((cells[:, 0] * 7 + cells[:, 1]) / 35).astype(np.float32)
    return np.stack([1 - dark, dark], axis=1)


# ------------------------------------------------------------------ journal


@given(records=st.lists(st.binary(max_size=40), max_size=8), cut=st.integers(0, 400))
def test_a_journal_cut_anywhere_gives_its_whole_records(
    records: list[bytes], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("j") / "running" / "journal"
    with Journal(path) as journal:
        for record in records:
            journal.append(record)
    ends = [end for _, end in read_journal(path)]
    assert [data for data, _ in read_journal(path)] == records
    os.truncate(path, min(cut, path.stat().st_size))
    whole = sum(end <= cut for end in ends)
    with Journal(path) as journal:
        assert journal.lost_bytes == min(cut, max(ends, default=0)) - max([0, *ends[:whole]])
        journal.append(b"more")
    assert [data for data, _ in read_journal(path)] == [*records[:whole], b"more"]


@pytest.mark.parametrize("at", [0, 5, 9, 14, 20])
def test_a_changed_byte_is_found(tmp_path: Path, at: int) -> None:
    path = tmp_path / "running" / "journal"
    with Journal(path) as journal:
        journal.append(b"first record")
        journal.append(b"second")
    data = bytearray(path.read_bytes())
    data[at] ^= 0x40
    path.write_bytes(data)
    assert list(read_journal(path)) == []
    with Journal(path) as journal:
        assert journal.lost_bytes == len(data)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are a POSIX matter")
def test_a_full_disk_is_told_and_costs_only_what_did_not_fit(tmp_path: Path) -> None:
    """In a child, whose files may have 4000 bytes."""
    import multiprocessing

    def child(said: Any) -> None:
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
        try:
            with Journal(tmp_path / "case" / "running" / "journal") as journal:
                for k in range(100):
                    journal.append(bytes([k]) * 300)
        except OutputError as error:
            said.send(str(error))

    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(send,))
    process.start()
    said = receive.recv() if receive.poll(30) else ""
    process.join(30)
    assert said.startswith("results cannot be written to case (")
    assert "run the same command again; what was done is kept" in said
    records = [data for data, _ in read_journal(tmp_path / "case" / "running" / "journal")]
    assert records == [bytes([k]) * 300 for k in range(4000 // 312)]


# ------------------------------------------------------------------ results


def test_answers_are_found_again(tmp_path: Path) -> None:
    with store(tmp_path / "running") as one:
        one.add(PLANNED[:4], answers(PLANNED[:4]))
        one.add(PLANNED[10:12], answers(PLANNED[10:12]))
    with store(tmp_path / "running") as two:
        chosen = np.concatenate([PLANNED[:4], PLANNED[10:12]])
        assert two.done.sum() == 6
        assert two.done[tuple(chosen.T)].all()
        np.testing.assert_array_equal(two.probabilities[tuple(chosen.T)], answers(chosen))
        assert np.isnan(two.probabilities).all(axis=-1).sum() == 35 - 6
        assert two.lost_bytes == 0
    with store(tmp_path / "running", key="another") as three:
        assert not three.done.any(), "work of another key is dropped"


def test_they_can_be_looked_at_while_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_her2.store.results.LIVE_S", 0.0)
    with store(tmp_path / "running", facts={"model": "darkness"}) as kept:
        seen = read_results(tmp_path / "running")
        assert (seen.record["model"], seen.record["finished"]) == ("darkness", False)
        assert np.bincount(seen.status[:].ravel()).tolist() == [3, 32]
        kept.add(PLANNED[:4], answers(PLANNED[:4]))
        assert np.bincount(seen.status[:].ravel()).tolist() == [3, 28, 4]
        np.testing.assert_array_equal(seen.probability[0, 3:7], answers(PLANNED[:4]))
        kept.finish()
    assert read_results(tmp_path / "running").record["finished"]


def test_two_writers_are_one_too_many(tmp_path: Path) -> None:
    with store(tmp_path / "running"), pytest.raises(OutputError, match="being written by another run"):
        store(tmp_path / "running").__enter__()
    with store(tmp_path / "running"):
        pass


@pytest.mark.parametrize(
    ("name", "content", "error", "says"),
    [
        ("notes.txt", "mine", OutputError, "holds notes.txt, which is not of a run"),
        ("results.json", "{", CaseError, "results.json"),
        ("results.json", "[]", CaseError, "is damaged"),
        ("results.json", json.dumps({"schema": "napari-her2/results/9", "key": ""}), CaseError, "version"),
    ],
)
def test_what_is_not_ours_is_left_alone(
    tmp_path: Path, name: str, content: str, error: type[Exception], says: str
) -> None:
    folder = tmp_path / "running"
    folder.mkdir()
    (folder / name).write_text(content)
    with pytest.raises(error, match=says):
        store(folder).__enter__()
    assert (folder / name).read_text() == content
    with pytest.raises(CaseError):
        read_results(folder)


def test_a_damaged_journal_loses_what_comes_after_and_says_how_much(tmp_path: Path) -> None:
    with store(tmp_path / "running") as kept:
        for start in range(0, 32, 4):
            kept.add(PLANNED[start : start + 4], answers(PLANNED[start : start + 4]))
    path = tmp_path / "running" / "journal"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with store(tmp_path / "running") as kept:
        assert kept.done.sum() == 16
        assert kept.lost_bytes == len(data) // 2


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "running").write_text("a file")
    with pytest.raises(OutputError, match="running is a file"):
        store(tmp_path / "running").__enter__()
