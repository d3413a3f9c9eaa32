"""``reader-study``: from CSVs and cases to a table and a page."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.case.example import report_dict

from napari_her2.cli import main

if TYPE_CHECKING:
    from pathlib import Path

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *words: object, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def write_readings(path: Path, n: int = 40) -> Path:
    """Three readers; B reads 3 points more than A, C had seen the result."""
    rng = np.random.default_rng(2)
    lines = ["case,reader,score,percent_3+,blind"]
    for k in range(n):
        truth = int(rng.integers(0, 4))
        share = float(rng.uniform(0, 80))
        for reader, more in (("A", 0.0), ("B", 3.0), ("C", -1.0)):
            score = int(np.clip(truth + rng.choice([-1, 0, 0, 0, 0]), 0, 3))
            word = ("0", "1+", "2+", "3+")[score]
            lines.append(f"case{k},{reader},{word},{share + more + rng.normal(0, 0.1):.2f},{reader != 'C'}")
    path.write_text("\n".join(lines).replace("-0.", "0."))
    return path


def test_a_table_of_readings_becomes_a_study(tmp_path: Path, capsys: Capture) -> None:
    source = write_readings(tmp_path / "r.csv")
    found = run(capsys, "reader-study", source, "--out", tmp_path / "out", "--draws", 200)
    assert found["readers"] == ["A", "B", "C"]
    assert len(found["pairs"]) == 3
    assert found["not_blind"] == ["C"]
    assert json.loads((tmp_path / "out" / "readers.json").read_text())["fleiss"]["value"] > 0.5
    first = found["pairs"][0]
    assert first["percent"][0]["bias"] == pytest.approx(3.0, abs=0.2)
    with (tmp_path / "out" / "readers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["measure"] for row in rows} >= {"kappa, quadratic weights", "bias (points)", "same score"}
    html = (tmp_path / "out" / "readers.html").read_text(encoding="utf-8")
    assert html.count("<svg") == 3
    assert html.count("<circle") == 3 * 40
    assert "C: had seen a result" in html
    assert "average positive agreement 3+" in html
    referred = run(
        capsys, "reader-study", source, "--out", tmp_path / "out", "--reference", "A", "--draws", 200
    )
    assert [(p["one"], p["other"]) for p in referred["pairs"]] == [("A", "B"), ("A", "C")]
    assert {e["name"] for e in referred["pairs"][0]["estimates"]} >= {"PPA", "NPA"}


def test_cases_bring_their_logs_and_the_program(tmp_path: Path, capsys: Capture) -> None:
    for k, (score, reader_score) in enumerate([("3+", "3+"), ("0", "1+"), ("2+", "2+")]):
        folder = tmp_path / "cases" / f"case{k}"
        folder.mkdir(parents=True)
        call = {**report_dict()["call"], "score": score}
        (folder / "report.json").write_text(json.dumps(report_dict(call=call)))
        (folder / "case.json").write_text(
            json.dumps({"schema": "napari-her2/case/1", "slides": [], "files": {}})
        )
        (tmp_path / f"{k}.csv").write_text(f"score,percent_3+\n{reader_score},10\n")
        run(capsys, "import", folder, tmp_path / f"{k}.csv", "--reader", "R")
    found = run(capsys, "reader-study", tmp_path / "cases", "--out", tmp_path / "out", "--draws", 50)
    assert found["readers"] == ["R", "napari-her2"]
    (pair,) = found["pairs"]
    assert pair["cases"] == 3
    assert next(e for e in pair["estimates"] if e["name"] == "same score")["value"] == pytest.approx(2 / 3)
    assert pair["percent"][0]["n"] == 3
    alone = run(
        capsys, "reader-study", tmp_path / "cases", "--out", tmp_path / "out", "--without-program", code=2
    )
    assert "two readers" in alone["error"]["message"]


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("case,reader,score\nx,A,0\nx,A,1+\n", 3, "twice"),
        ("reader,score\nA,0\n", 3, "case and reader"),
        ("case,reader,score\nx,A,0\n", 2, "two readers"),
        ("case,reader,score,percent_3+\nx,A,0,130\n", 3, "no percentage"),
    ],
)
def test_what_is_no_study(tmp_path: Path, capsys: Capture, text: str, code: int, why: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    found = run(capsys, "reader-study", tmp_path / "r.csv", "--out", tmp_path / "out", code=code)
    assert why in found["error"]["message"]
