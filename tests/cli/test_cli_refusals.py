"""Bad input: one sentence, the right exit code, and nothing that looks like a result."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_her2.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable


def png(path: Path, value: int | None = None, size: int = 300) -> Path:
    import cv2

    noise = np.random.default_rng(0).integers(60, 200, (size, size, 3), dtype=np.uint8)
    cv2.imwrite(str(path), noise if value is None else np.full_like(noise, value))
    return path


def tiff16(path: Path) -> Path:
    import tifffile

    tifffile.imwrite(path, np.zeros((64, 64, 3), np.uint16), photometric="rgb")
    return path


def channels(path: Path) -> Path:
    import tifffile

    planes = np.zeros((5, 64, 64), np.uint8)
    tifffile.imwrite(path, planes, photometric="minisblack", planarconfig="separate")
    return path


def cut_dicom(folder: Path) -> Path:
    """Copy a real slide, half of its largest file missing."""
    source = ROOT.parent / "shared" / "data" / "slides" / "cmu-1-small-region-dicom"
    if not source.is_dir():
        pytest.skip("needs a real DICOM slide, which is not part of the project")
    shutil.copytree(source, folder)
    largest = max(folder.iterdir(), key=lambda file: file.stat().st_size)
    write(largest, largest.read_bytes()[: largest.stat().st_size // 2])
    return folder


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def cut(path: Path, source: Path, keep: float) -> Path:
    data = source.read_bytes()
    return write(path, data[: int(len(data) * keep)])


@dataclass(frozen=True)
class Case:
    """One command line that must be refused; ``{tmp}`` and ``{pair}`` are folders."""

    name: str
    words: str
    code: int
    says: str
    make: Callable[[Path, Path], object] = lambda tmp, pair: None


ROOT = Path(__file__).resolve().parents[2]
PICTURE = "score --ihc {tmp}/a.png --um-per-px-ihc 0.25 --out {tmp}/case"
PAIR = "score --ihc {pair}/ihc.ome.tif --he {pair}/he.ome.tif --out {tmp}/case"
ALONE = "score --ihc {pair}/ihc.ome.tif --out {tmp}/case"
CASES = [
    Case("no command", "", 2, "COMMAND"),
    Case("unknown command", "scor", 2, "invalid choice"),
    Case("unknown option", "info x --fast", 2, "unrecognized arguments: --fast"),
    Case("no ihc", "score --out {tmp}/case", 2, "--ihc"),
    Case("missing file", "score --ihc {tmp}/none.svs --out {tmp}/case", 3, "none.svs does not exist"),
    Case(
        "text renamed",
        "score --ihc {tmp}/a.svs --out {tmp}/case",
        3,
        "a.svs is not a slide",
        lambda tmp, pair: write(tmp / "a.svs", b"I am no slide\n" * 50),
    ),
    Case("empty file", "info {tmp}/a.svs", 3, "a.svs is empty", lambda tmp, pair: write(tmp / "a.svs", b"")),
    Case(
        "truncated slide",
        "score --ihc {tmp}/cut.ome.tif --out {tmp}/case",
        3,
        "cut.ome.tif",
        lambda tmp, pair: cut(tmp / "cut.ome.tif", pair / "ihc.ome.tif", 0.6),
    ),
    Case(
        "truncated picture",
        "score --ihc {tmp}/cut.png --um-per-px-ihc 0.25 --out {tmp}/case",
        3,
        "cut.png",
        lambda tmp, pair: cut(tmp / "cut.png", png(tmp / "a.png"), 0.5),
    ),
    Case("16 bit", "info {tmp}/deep.tif", 3, "8", lambda tmp, pair: tiff16(tmp / "deep.tif")),
    Case(
        "no pixel size, ihc",
        "score --ihc {tmp}/a.png --out {tmp}/case",
        3,
        "--um-per-px-ihc",
        lambda tmp, pair: png(tmp / "a.png"),
    ),
    Case(
        "no pixel size, he",
        "score --ihc {pair}/ihc.ome.tif --he {tmp}/a.png --out {tmp}/case",
        3,
        "--um-per-px-he",
        lambda tmp, pair: png(tmp / "a.png"),
    ),
    Case(
        "no pixel size, cells",
        "cells {tmp}/a.png --out {tmp}/c.csv",
        3,
        "--um-per-px",
        lambda tmp, pair: png(tmp / "a.png"),
    ),
    Case("pixel size too small", ALONE + " --um-per-px-ihc 0.01", 2, "0.01"),
    Case("pixel size too large", "cells {pair}/ihc.ome.tif --um-per-px 101 --out {tmp}/c.csv", 2, "101"),
    Case("pixel size no number", ALONE + " --um-per-px-ihc nan", 2, "nan"),
    Case("out is a file", ALONE, 2, "is a file", lambda tmp, pair: write(tmp / "case", b"")),
    Case("out below a file", ALONE + "/deeper", 2, "is a file", lambda tmp, pair: write(tmp / "case", b"")),
    Case(
        "out is read-only",
        ALONE,
        2,
        "read-only",
        lambda tmp, pair: (tmp / "case").mkdir(mode=0o555),
    ),
    Case("folder", "score --ihc {tmp} --out {tmp}/case", 3, "folder without a slide"),
    Case(
        "align swapped",
        "align --he {pair}/ihc.ome.tif --ihc {pair}/he.ome.tif --out {tmp}/m.json",
        3,
        "exchange",
    ),
    Case(
        "align one file",
        "align --he {pair}/ihc.ome.tif --ihc {pair}/ihc.ome.tif --out {tmp}/m.json",
        3,
        "two",
    ),
    Case(
        "multichannel",
        "score --ihc {tmp}/m.tif --out {tmp}/case",
        3,
        "5 channels",
        lambda tmp, pair: channels(tmp / "m.tif"),
    ),
    Case(
        "16 bit score",
        "score --ihc {tmp}/deep.tif --out {tmp}/case",
        3,
        "16-bit",
        lambda tmp, pair: tiff16(tmp / "deep.tif"),
    ),
    Case(
        "truncated dicom",
        "score --ihc {tmp}/dcm --out {tmp}/case",
        3,
        "dcm",
        lambda tmp, pair: cut_dicom(tmp / "dcm"),
    ),
    Case(
        "text as dicom",
        "info {tmp}/a.dcm",
        3,
        "a.dcm is not a slide",
        lambda tmp, pair: write(tmp / "a.dcm", b"text" * 99),
    ),
    Case(
        "no tissue on the other",
        ALONE + " --he {tmp}/a.png --um-per-px-he 0.25",
        3,
        "no tissue",
        lambda tmp, pair: png(tmp / "a.png", 255),
    ),
    Case("same slide twice", ALONE + " --he {pair}/ihc.ome.tif", 3, "two different"),
    Case("swapped", "score --ihc {pair}/he.ome.tif --he {pair}/ihc.ome.tif --out {tmp}/case", 3, "exchange"),
    Case("unknown rule", ALONE + " --rule breast", 2, "breast"),
    Case("bad ish", ALONE + ' --ish {"probe":"triple"}', 2, "ish needs probe"),
    Case("ish no json", ALONE + " --ish positive", 2, "is not JSON"),
    Case("no model", ALONE + " --stain-model best", 4, "best"),
    Case("transformer", ALONE + " --engine transformer --stain-model best", 4, "best"),
    Case("device", ALONE + " --device gpu", 2, "gpu"),
    Case("min cells", ALONE + " --min-cells 0", 2, "min-cells"),
    Case("no roi", ALONE + " --roi {tmp}/none.geojson", 3, "none.geojson"),
    Case(
        "bad roi",
        ALONE + " --roi {tmp}/roi.geojson",
        3,
        "roi.geojson",
        lambda tmp, pair: write(tmp / "roi.geojson", b'{"type": "FeatureCollection", "features": []}'),
    ),
    Case(
        "roi off the slide",
        ALONE + " --roi {tmp}/roi.geojson",
        3,
        "outside the image",
        lambda tmp, pair: write(
            tmp / "roi.geojson", b'{"type":"Polygon","coordinates":[[[0,0],[99999,0],[9,99],[0,0]]]}'
        ),
    ),
    Case(
        "region off the slide",
        "cells {pair}/ihc.ome.tif --region -1,0,9,9 --out {tmp}/c.csv",
        3,
        "not wholly inside",
    ),
    Case("region of text", "cells {pair}/ihc.ome.tif --region a,b --out {tmp}/c.csv", 2, "a,b"),
    Case("cells into a folder", "cells {pair}/ihc.ome.tif --out {tmp}", 2, "is a folder"),
    Case(
        "too coarse",
        "score --ihc {tmp}/a.png --um-per-px-ihc 5 --out {tmp}/case",
        3,
        "too coarse",
        lambda tmp, pair: png(tmp / "a.png"),
    ),
    Case("counts negative", 'rule --counts {"none":-1}', 2, "-1"),
    Case("counts fraction", 'rule --counts {"none":1.5}', 2, "1.5"),
    Case("counts nan", 'rule --counts {"none":NaN}', 2, "nan"),
    Case("counts unknown", 'rule --counts {"none":1,"all":2}', 2, "all"),
    Case("counts twice", 'rule --counts {"none":100,"none":200}', 2, "twice"),
    Case("counts list", "rule --counts [1]", 2, "object"),
    Case("nothing to count", "rule", 2, "--counts"),
    Case("mix off", 'phantom --out {tmp}/p --mix {"3+":50}', 2, "100"),
    Case("mix unknown", 'phantom --out {tmp}/p --mix {"4+":100}', 2, "4+"),
    Case("mix of words", 'phantom --out {tmp}/p --mix {"3+":"all"}', 2, "percent"),
    Case("mix without a number", 'phantom --out {tmp}/p --mix {"3+":null,"0":100}', 2, "percent"),
    Case("mix of true", 'phantom --out {tmp}/p --mix {"3+":true,"0":99}', 2, "percent"),
    Case("too many levels", "phantom --out {tmp}/p --levels 5", 2, "levels 5"),
    Case("size too small", "phantom --out {tmp}/p --size-um 100,100", 2, "200"),
    Case(
        "no mapping",
        "map-points --mapping {tmp}/m.json --from he --points {tmp}/p.csv --out {tmp}/o.csv",
        3,
        "m.json",
    ),
    Case(
        "no such landmarks",
        "align --he {pair}/he.ome.tif --ihc {pair}/ihc.ome.tif --landmarks {tmp}/l.csv --out {tmp}/m.json",
        3,
        "l.csv",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_one_sentence_and_the_right_code(
    case: Case, pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if case.name == "out is read-only" and os.name != "posix":
        pytest.skip("Windows folders have no write bits")
    case.make(tmp_path, pair)
    words = [word.replace("{tmp}", str(tmp_path)).replace("{pair}", str(pair)) for word in case.words.split()]
    assert main([*words, "--json"]) == case.code
    said = capsys.readouterr()
    error = json.loads(said.out)["error"]
    assert error["code"] == case.code
    assert case.says in error["message"]
    assert len(error["message"]) <= 500
    assert said.err.strip().splitlines()[-1] == error["message"]
    assert "Traceback" not in said.err
    assert str(tmp_path) not in error["message"], "only the file's name, not its folder"
    assert not list(tmp_path.rglob("report.json"))
    for name in ("c.csv", "o.csv", "m.json", "p/truth.json"):
        assert not (tmp_path / name).exists()


def test_without_json_stdout_stays_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "nowhere.svs"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1


def test_a_traceback_appears_only_with_debug(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "nowhere.svs", "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("value", [255, 0])
def test_an_image_without_tissue_is_not_scorable(
    value: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    png(tmp_path / "a.png", value)
    words = PICTURE.replace("{tmp}", str(tmp_path)).split()
    assert main([*words, "--json"]) == 5
    report = json.loads(capsys.readouterr().out)
    assert report["call"]["score"] is None
    assert report["call"]["category"] == "not_scorable"
    assert report["her2_status"] == "indeterminate"
    assert "a.png" in report["call"]["reason"]
    assert (tmp_path / "case" / "report.json").is_file()


def test_a_fault_of_the_program_is_a_sentence_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> object:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("napari_her2.cli.commands.rule.list_rules", fail)
    assert main(["rule", "--list", "--json"]) == 3
    message = json.loads(capsys.readouterr().out)["error"]["message"]
    assert "ZeroDivisionError: of all things" in message
    assert "--debug" in message


def test_ctrl_c_ends_with_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_her2.cli.commands.rule.list_rules", stop)
    assert main(["rule", "--list"]) == 130
    assert capsys.readouterr().out == ""


def test_a_refused_pair_takes_no_folder(pair: Path, tmp_path: Path) -> None:
    words = ["--out", str(tmp_path / "case"), "--json"]
    he, ihc = str(pair / "he.ome.tif"), str(pair / "ihc.ome.tif")
    assert main(["score", "--ihc", he, "--he", ihc, *words]) == 3
    assert main(["score", "--ihc", ihc, "--min-cells", "20", *words]) in (0, 5)
    assert main(["score", "--ihc", he, *words]) == 2, "now it holds a case"


def test_a_table_of_cells_of_he_says_so(
    pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, flags in (("he", ["unexpected_stain"]), ("ihc", [])):
        assert main(["cells", str(pair / f"{name}.ome.tif"), "--out", str(tmp_path / "c.csv"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["flags"] == flags


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a folder in which not even root may write")
@pytest.mark.parametrize(
    "words",
    [
        "score --ihc {pair}/ihc.ome.tif --out /sys/case",
        "cells {pair}/ihc.ome.tif --out /sys/c.csv",
        "phantom --out /sys/p",
    ],
)
def test_a_place_that_cannot_be_written(words: str, pair: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words.replace("{pair}", str(pair)).split(), "--json"]) == 2
    message = json.loads(capsys.readouterr().out)["error"]["message"]
    assert "--out" in message
    assert "cannot be written" in message or "read-only" in message
