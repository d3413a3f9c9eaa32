"""A finished case: sealed, moved, packed, run again, printed."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.cli.running import Capture, run

from napari_her2.case import read_case
from napari_her2.cli import main

if TYPE_CHECKING:
    from pathlib import Path


# ------------------------------------------------------------------ case


def test_verify_says_what_was_changed(case: Path, capsys: Capture) -> None:
    first = run(capsys, "case", "verify", case)
    assert first["intact"]
    assert [s["state"] for s in first["slides"]] == ["same", "same"]
    sealed = run(capsys, "case", "seal", case, "--reader", "Dr R")
    again = run(capsys, "case", "verify", case)
    assert (again["intact"], again["sealed_by"], again["seal"]) == (True, "Dr R", sealed["seal"])
    with (case / "report.html").open("a") as page:
        page.write(" ")
    (case / "rasters" / "her2.zarr" / "0" / "more").write_text("x")
    (case / "patches.parquet").unlink()
    (case / "notes.txt").write_text("n")
    (case / "review.jsonl").write_text('{"act": "x"}\n')
    found = run(capsys, "case", "verify", case, code=3)
    assert not found["intact"]
    assert sorted(found["changed"]) == ["rasters/her2.zarr", "report.html", "review.jsonl"]
    assert found["missing"] == ["patches.parquet"]
    assert found["added"] == ["notes.txt"]
    assert found["manifest_intact"]


def test_an_altered_manifest_and_slide_are_noticed(case: Path, capsys: Capture) -> None:
    run(capsys, "case", "seal", case)
    manifest = json.loads((case / "case.json").read_text())
    manifest["sealed"]["reader"] = "Somebody Else"
    (case / "case.json").write_text(json.dumps(manifest))
    assert run(capsys, "case", "verify", case, code=3)["manifest_intact"] is False
    slide = case.parent / "he.ome.tif"
    data = bytearray(slide.read_bytes())
    slide.unlink()
    data[-1] ^= 1
    slide.write_bytes(data)
    states = {s["role"]: s["state"] for s in run(capsys, "case", "verify", case, code=3)["slides"]}
    assert states == {"he": "changed", "ihc": "same"}


def test_moved_slides_are_relinked_by_their_hash(case: Path, tmp_path: Path, capsys: Capture) -> None:
    away = tmp_path / "elsewhere" / "renamed.tif"
    away.parent.mkdir()
    (tmp_path / "ihc.ome.tif").rename(away)
    lost = run(capsys, "case", "verify", case)
    assert {s["role"]: s["state"] for s in lost["slides"]}["ihc"] == "not found"
    wrong = run(capsys, "case", "relink", case, "--ihc", tmp_path / "he.ome.tif", code=3)
    assert "is not the ihc slide" in wrong["error"]["message"]
    run(capsys, "case", "relink", case, "--ihc", away)
    assert {s["role"]: s["state"] for s in run(capsys, "case", "verify", case)["slides"]}["ihc"] == "same"
    run(capsys, "case", "relink", case, code=2)


@pytest.mark.parametrize("with_slides", [False, True])
def test_a_packed_case_is_whole(case: Path, tmp_path: Path, capsys: Capture, with_slides: bool) -> None:
    run(capsys, "case", "seal", case, "--reader", "R")
    words = ["--with-slides"] * with_slides
    for name in ("a.her2.zip", "b.her2.zip"):
        run(capsys, "case", "pack", case, "--out", tmp_path / name, *words)
    assert (tmp_path / "a.her2.zip").read_bytes() == (tmp_path / "b.her2.zip").read_bytes()
    away = tmp_path / "x" / "y" / "z"
    found = run(capsys, "case", "unpack", tmp_path / "a.her2.zip", "--out", away)
    assert found["intact"]
    bundle = read_case(away)
    assert bundle.report == read_case(case).report
    np.testing.assert_array_equal(bundle.cells().row_px, read_case(case).cells().row_px)
    states = {s["state"] for s in run(capsys, "case", "verify", away)["slides"]}
    assert states == ({"same"} if with_slides else {"not found"})
    assert (
        "is there already"
        in run(capsys, "case", "unpack", tmp_path / "a.her2.zip", "--out", away, code=3)["error"]["message"]
    )


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "a\\b", "c:/x"])
def test_a_zip_that_reaches_outside_is_refused(tmp_path: Path, capsys: Capture, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.her2.zip", "w") as archive:
        for inside in ("case.json", "report.json"):
            archive.writestr(inside, "{}")
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, "x")
    found = run(capsys, "case", "unpack", tmp_path / "a.her2.zip", "--out", tmp_path / "out", code=3)
    assert "do not use it" in found["error"]["message"]
    assert not (tmp_path / "out").exists()


def test_a_damaged_zip_leaves_nothing(case: Path, tmp_path: Path, capsys: Capture) -> None:
    run(capsys, "case", "pack", case, "--out", tmp_path / "a.her2.zip")
    data = bytearray((tmp_path / "a.her2.zip").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "a.her2.zip").write_bytes(data)
    code = main(["case", "unpack", str(tmp_path / "a.her2.zip"), "--out", str(tmp_path / "out")])
    capsys.readouterr()
    assert code == 3
    (tmp_path / "b.her2.zip").write_text("no zip")
    run(capsys, "case", "unpack", tmp_path / "b.her2.zip", "--out", tmp_path / "out", code=3)
    assert not (tmp_path / "out").exists()


def test_a_second_run_gives_the_same_numbers(case: Path, tmp_path: Path, capsys: Capture) -> None:
    """From the packed case with its slides alone, drawn area included."""
    run(capsys, "case", "pack", case, "--with-slides", "--out", tmp_path / "a.her2.zip")
    away = tmp_path / "x" / "y" / "z"
    run(capsys, "case", "unpack", tmp_path / "a.her2.zip", "--out", away)
    for name in ("he.ome.tif", "ihc.ome.tif"):
        (tmp_path / name).unlink()
    found = run(capsys, "case", "rerun", away, "--out", tmp_path / "again")
    assert found == {
        "same": True,
        "differences": [],
        "versions_differ": False,
        "corrected_since": False,
    }
    report = json.loads((away / "report.json").read_text())
    report["percent"]["3+"] = 99.0
    (away / "report.json").write_text(json.dumps(report))
    changed = run(capsys, "case", "rerun", away, "--out", tmp_path / "again", code=3)
    assert [d.partition(":")[0] for d in changed["differences"]] == ["percent.3+"]


# ------------------------------------------------------------------ pages


def test_pages_show_slides_fields_and_edits(case: Path, tmp_path: Path, capsys: Capture) -> None:
    import pypdfium2

    (tmp_path / "r.csv").write_text("reader,score\nDr Reader,3+\n")
    run(capsys, "import", case, tmp_path / "r.csv")
    run(capsys, "case", "seal", case, "--reader", "Dr Reader")
    page = run(capsys, "export", case, "--to", "html", "--out", tmp_path / "r.html")
    assert page["maps"] == 3
    assert page["fields"] >= 2
    assert page["fields"] % 2 == 0
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Sealed by Dr Reader" in html
    assert "unchanged since" in html
    assert str(tmp_path) not in html
    assert html.count("data:image/jpeg") == 3 + page["fields"]
    run(capsys, "export", case, "--to", "pdf", "--out", tmp_path / "r.pdf")
    document = pypdfium2.PdfDocument(tmp_path / "r.pdf")
    assert "Dr Reader" in "".join(p.get_textpage().get_text_bounded() for p in document)
    document.close()
    for name in ("he.ome.tif", "ihc.ome.tif"):
        (tmp_path / name).unlink()
    assert run(capsys, "export", case, "--to", "pdf", "--out", tmp_path / "r.pdf")["maps"] == 0


def test_a_packed_case_opens_in_napari(case: Path, tmp_path: Path, capsys: Capture) -> None:
    """Its reader unpacks it beside the file; the layers are those of the folder."""
    from napari_her2._napari.reader import case_folder, get_reader

    packed = tmp_path / "x" / "block.her2.zip"
    run(capsys, "case", "pack", case, "--out", packed)
    assert get_reader(str(packed)) is get_reader(str(case)) is not None
    folder = case_folder(packed)
    assert folder == tmp_path / "x" / "block"
    assert read_case(folder).report == read_case(case).report
    (folder / "notes.txt").write_text("kept")
    assert case_folder(packed) == folder
    assert (folder / "notes.txt").exists()
