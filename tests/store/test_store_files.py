"""Atomic files, folders and locks."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from napari_her2.errors import CaseError, OutputError
from napari_her2.store import (
    FolderLock,
    read_json,
    replacing,
    replacing_folder,
    sha256_of,
    writable_folder,
    write_bytes,
    write_json,
)

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def fail_after(path: Path) -> None:
    path.write_text("half of it")
    raise KeyError


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(ValueError, match="not JSON"):
        write_json(path, [1.0, float("inf")])
    with pytest.raises(KeyError), replacing(path) as temporary:
        fail_after(temporary)
    assert read_json(path) == {"old": 1}
    assert names(tmp_path) == ["a.json"]


def test_the_hash_returned_is_that_of_the_file(tmp_path: Path) -> None:
    assert (
        write_bytes(tmp_path / "x", b"abc") == sha256_of(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
    )


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", float("nan"))
    assert names(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", '{"a": }', "[" * 100_000])
def test_bad_json_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(CaseError, match=r"bad\.json"):
        read_json(tmp_path / "bad.json")
    with pytest.raises(CaseError, match=r"none\.json"):
        read_json(tmp_path / "none.json")


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "r.zarr"
    for word in ("one", "two"):
        with replacing_folder(target) as folder:
            (folder / word).write_text(word)
    assert names(target) == ["two"]
    with pytest.raises(KeyError), replacing_folder(target) as folder:
        fail_after(folder / "three")
    assert names(target) == ["two"]
    assert names(tmp_path) == ["r.zarr"]


def test_the_hash_of_a_folder_sees_names_and_content(tmp_path: Path) -> None:
    for number, (name, text) in enumerate([("a", "1"), ("a", "2"), ("b", "1")]):
        folder = tmp_path / str(number) / "sub"
        folder.mkdir(parents=True)
        (folder / name).write_text(text)
    assert len({sha256_of(tmp_path / str(n)) for n in range(3)}) == 3


def test_writable_folder_makes_parents_and_leaves_nothing(tmp_path: Path) -> None:
    folder = writable_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert names(folder) == []


@pytest.mark.parametrize("below", ["", "case"])
def test_a_file_is_no_folder(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        writable_folder(tmp_path / "file" / below)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows folders have no write bits")
@pytest.mark.parametrize("below", ["", "case"])
def test_a_read_only_folder_is_respected_even_by_root(tmp_path: Path, below: str) -> None:
    folder = tmp_path / "shut"
    folder.mkdir(mode=0o555)
    with pytest.raises(OutputError, match="read-only"):
        writable_folder(folder / below)
    assert names(folder) == []


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "case" / "lock"
    second = FolderLock(path, "the case")
    with FolderLock(path, "the case"), pytest.raises(OutputError, match="the case is being written"):
        second.__enter__()
    with second:
        pass


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from napari_her2.store import FolderLock\n"
        "with FolderLock(Path(sys.argv[1]), 'it'):\n    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(OutputError):
            FolderLock(path, "it").__enter__()
        process.kill()
        process.wait()
    with FolderLock(path, "it"):
        pass


def test_written_json_is_utf8_and_ends_with_a_newline(tmp_path: Path) -> None:
    write_json(tmp_path / "u.json", {"unit": "µm"})
    raw = (tmp_path / "u.json").read_bytes()
    assert raw.endswith(b"}\n")
    assert json.loads(raw.decode("utf-8")) == {"unit": "µm"}
