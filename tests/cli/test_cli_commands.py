"""Each command on good input: what it prints, what it writes, how it ends."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_her2.cli import machine, main
from napari_her2.phantom import PhantomSpec

if TYPE_CHECKING:
    from pathlib import Path

CALL_KEYS = {
    "score",
    "category",
    "rule",
    "reason",
    "path",
    "flags",
    "borderline",
    "reflex_ish",
    "alternatives",
}

WISHES = (
    "--seed 7 --size-um 600,500 --rotate -30 --mirror --warp-um 5 --missing 0.1 --shrink 0.05 "
    "--in-situ 0.2 --control --pen --fold --blur --stain-seed 4 --levels 3 --fault noise=0.5"
)


def run(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> dict[str, Any]:
    """Run a command with --json; return the one object of stdout."""
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("words", [["--help"], ["score", "--help"], ["export", "--help"], ["--version"]])
def test_help_ends_with_0(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert "napari-her2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("counts", "score"),
    [
        ({"complete_intense": 101, "none": 899}, "3+"),
        ({"complete_intense": 100, "none": 900}, "2+"),
        ({"complete_weak_moderate": 110, "none": 890}, "2+"),
        ({"incomplete_faint": 101, "none": 899}, "1+"),
        ({"none": 1000}, "0"),
    ],
)
def test_rule_prints_the_call(counts: dict[str, int], score: str, capsys: pytest.CaptureFixture[str]) -> None:
    call = run(capsys, "rule", "--counts", json.dumps(counts))
    assert call["score"] == score
    assert call.keys() >= CALL_KEYS
    assert call["path"][-1]["holds"]


def test_rule_with_too_few_cells_ends_with_5(capsys: pytest.CaptureFixture[str]) -> None:
    call = run(capsys, "rule", "--counts", '{"none": 99}', code=5)
    assert call["score"] is None
    assert call["category"] == "not_scorable"
    assert run(capsys, "rule", "--counts", '{"none": 99}', "--min-cells", 50)["flags"] == ["few_cells"]


def test_rule_takes_ish_and_clusters(capsys: pytest.CaptureFixture[str]) -> None:
    counts = json.dumps({"complete_weak_moderate": 50, "none": 50})
    ish = json.dumps({"probe": "dual", "ratio": 1.2, "her2_copies": 2.0})
    assert run(capsys, "rule", "--counts", counts, "--ish", ish)["her2_status"] == "negative"
    biopsy = json.dumps({"complete_intense": 5, "none": 30, "clusters": {"complete_intense": 5}})
    assert run(capsys, "rule", "--counts", biopsy, "--rule", "gastric-biopsy")["score"] == "3+"


def test_rule_list_names_all_four_with_editions(capsys: pytest.CaptureFixture[str]) -> None:
    rules = run(capsys, "rule", "--list")["rules"]
    names = [rule["name"] for rule in rules]
    assert names == ["asco-cap-breast-2023", "gastric-resection", "gastric-biopsy", "paper-max"]
    assert all(rule["edition"] for rule in rules)


def test_info_of_a_phantom(pair: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(capsys, "info", pair / "ihc.ome.tif")
    assert found["format"] == "tiff"
    assert found["um_per_px"] == pytest.approx(0.25)
    assert found["levels"][0]["shape"] == found["shape"]
    assert found["stain"] == "ihc"
    assert run(capsys, "info", pair / "he.ome.tif")["stain"] == "he"


def test_info_without_pixel_size_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "field.png"), np.full((40, 60, 3), 200, np.uint8))
    found = run(capsys, "info", tmp_path / "field.png")
    assert found["um_per_px"] is None
    assert found["levels"][0]["shape"] == [40, 60]


def test_phantom_writes_its_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mix = '{"3+": 12, "2+": 20, "1+": 30, "0": 38}'
    words = [
        "--seed",
        3,
        "--mix",
        mix,
        "--size-um",
        "220,200",
        "--rotate",
        "-10",
        "--mirror",
        "--stain-seed",
        4,
    ]
    found = run(capsys, "phantom", "--out", tmp_path / "p", *words)
    assert found["score"] == "3+"
    truth = json.loads((tmp_path / "p" / "truth.json").read_text())
    assert truth["parameters"]["rotate_deg"] == -10
    assert truth["parameters"]["mirror"] is True


def test_every_wish_about_a_phantom_is_an_option(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[PhantomSpec] = []

    def note(spec: PhantomSpec, out: Path) -> Any:
        asked.append(spec)
        (out / "truth.json").write_text('{"score": "0"}')
        yield from ()

    monkeypatch.setattr("napari_her2.cli.commands.phantom.render_phantom", note)
    words = WISHES.split()
    assert main(["phantom", "--out", str(tmp_path / "a"), "--score", "1+", *words]) == 0
    assert main(["phantom", "--out", str(tmp_path / "b"), "--mix", '{"0": 100}', *words]) == 0
    plain = PhantomSpec()
    for field in fields(PhantomSpec):
        assert any(getattr(spec, field.name) != getattr(plain, field.name) for spec in asked), field.name


def test_cells_of_a_region(pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cells.csv"
    found = run(capsys, "cells", pair / "ihc.ome.tif", "--out", out, "--region", "300,200,600,500")
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found["cells"] > 10
    assert all(300 <= float(row["x"]) < 900 and 200 <= float(row["y"]) < 700 for row in rows)
    assert list(rows[0])[:5] == ["x", "y", "class", "completeness", "intensity_od"]
    assert list(rows[0])[5:] == [
        "membrane_width_um",
        "nucleus_area_um2",
        "in_tumour",
        "excluded",
        "epithelial",
        "source",
    ]


def test_align_then_map_points_there_and_back(
    pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping = tmp_path / "mapping.json"
    both = ["--he", pair / "he.ome.tif", "--ihc", pair / "ihc.ome.tif", "--out", mapping]
    table = ["--patches", tmp_path / "pairs.csv", "--matching", "area"]
    found = run(capsys, "align", *both, *table)
    with (tmp_path / "pairs.csv").open(newline="") as file:
        shares = [float(row["weight"]) for row in csv.DictReader(file)]
    assert found["patches"]["pairs"] == sum(share > 0 for share in shares) > 20
    assert max(shares) <= 1
    assert found["schema"] == "napari-her2/mapping/1"
    assert {"kind", "residual_um_p50", "min_jacobian", "needs_review", "mirrored"} <= found.keys()
    (tmp_path / "in.csv").write_text('id,x,y,note\n007,500,600,"a, b"\n8,0,0,\n9,1279,1279,\n')
    there, back = tmp_path / "there.csv", tmp_path / "back.csv"
    words = ["--mapping", mapping, "--from", "he", "--points", tmp_path / "in.csv", "--out", there]
    assert run(capsys, "map-points", *words)["points"] == 3
    with there.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "x", "y", "note", "mapped_x", "mapped_y", "error_um", "inside"]
    assert (rows[0]["id"], rows[0]["note"]) == ("007", "a, b")
    assert all(np.isfinite([float(row["mapped_x"]), float(row["mapped_y"])]).all() for row in rows)
    assert [row["inside"] for row in rows] == ["true", "false", "false"]
    assert float(rows[1]["error_um"]) > 100
    lines = [f"{row['mapped_x']},{row['mapped_y']}" for row in rows]
    (tmp_path / "mapped.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
    run(
        capsys,
        "map-points",
        "--mapping",
        mapping,
        "--from",
        "ihc",
        "--points",
        tmp_path / "mapped.csv",
        "--out",
        back,
    )
    with back.open(newline="") as file:
        first = next(csv.DictReader(file))
    assert (float(first["mapped_x"]), float(first["mapped_y"])) == pytest.approx((500, 600), abs=0.5)


def test_a_person_gets_text_and_bars_only_on_stderr(
    pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cells", str(pair / "ihc.ome.tif"), "--out", str(tmp_path / "c.csv")]) == 0
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert "cells" in said.out
    assert "tiles/s" in said.err


def test_doctor_finds_remedies_and_never_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr("napari_her2.cli.machine.find_spec", lambda name: None)
    monkeypatch.setattr("napari_her2.cli.machine._version", lambda name: None)
    monkeypatch.setattr("napari_her2.cli.machine._tried", lambda code: (False, "ImportError: no such thing"))
    found = run(capsys, "doctor")
    assert not found["ok"]
    lacking = {check["name"]: check["remedy"] for check in found["checks"] if not check["ok"]}
    assert "napari-her2[gui]" in lacking["Qt"]
    assert "napari-her2[dicom]" in lacking["DICOM slides"]
    assert "torchvision" in lacking["models and GPU"]
    assert all(lacking.values())


@pytest.mark.parametrize(
    ("version", "python", "good"),
    [
        ("6.11.3", (3, 11), True),
        ("6.12.0", (3, 11), False),
        ("6.12.0", (3, 12), True),
    ],
)
def test_doctor_names_a_qt_that_would_crash(
    monkeypatch: pytest.MonkeyPatch, version: str, python: tuple[int, int], good: bool
) -> None:
    packages = {"PySide6-Essentials": version}
    monkeypatch.setattr(machine, "find_spec", lambda name: name if name == "PySide6" else None)
    monkeypatch.setattr(machine, "_version", packages.get)
    monkeypatch.setattr(machine.sys, "version_info", python)
    finding = machine._qt()
    assert finding.ok is good
    assert f"PySide6 {version}" in finding.found
    assert good or "<6.12" in finding.remedy


def test_info_for_a_person_names_sides_and_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "field.png"), np.full((40, 60, 3), 200, np.uint8))
    assert main(["info", str(tmp_path / "field.png")]) == 0
    lines = dict(re.split(r"  +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["width x height"] == "60 x 40 px"
    assert "ask for it" in lines["pixel size"]
    assert lines["on disk"].endswith(" MB")


def test_a_borderline_call_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    for intense, borderline in ((12, True), (80, False)):
        assert main(["rule", "--counts", json.dumps({"complete_intense": intense, "none": 100})]) == 0
        assert ("borderline" in capsys.readouterr().out) is borderline
