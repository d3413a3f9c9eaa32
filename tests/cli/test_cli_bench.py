"""``bench``: what it says, on a slide so small that the figures mean nothing; budgets gate no test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.pipeline.steadfast import steadfast

from napari_her2.cli import main
from napari_her2.cli.bench import cluster
from napari_her2.cli.bench.setting import BenchWishes, Verdict
from napari_her2.cli.bench.slides import confined, large_slide
from napari_her2.slides import open_slide

if TYPE_CHECKING:
    from pathlib import Path


def asked(words: list[Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = main(["bench", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_runs_are_held_against_their_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = steadfast(tmp_path / "c", "classify", 1)
    words = ["--only", "P1,P3,P7", "--size", 1024, "--repeat", 1, "--model", model, "--work", tmp_path / "w"]
    code, found = asked([*words, "--device", "cpu"], capsys)
    assert code == 0
    assert set(found) == {"schema", "machine", "P1", "P3", "P7"}
    one = found["P1"]
    assert one["plan"]["patches"] == 64
    rates = one["patches_per_s"]
    floor = 1 / (1 / rates["model"] + 1 / rates["read"])
    assert one["value"] == pytest.approx(rates["run"] / floor, rel=0.02)
    assert one["met"] == (one["value"] >= 0.9)
    assert found["P3"]["value"] > 0
    assert found["P7"]["finish_s"] > 0
    assert str(tmp_path) not in json.dumps(found)


def test_the_large_slide_is_tissue_all_over_and_made_once(tmp_path: Path) -> None:
    path = large_slide(tmp_path, 1536)
    made = path.stat().st_mtime_ns
    assert large_slide(tmp_path, 1536) == path
    assert path.stat().st_mtime_ns == made
    with open_slide(path) as slide:
        assert (slide.shape, slide.um_per_px) == ((1536, 1536), 0.25)
        pixels = slide.thumbnail(96)
    assert (pixels.mean(axis=2) < 235).mean() > 0.8
    assert len(np.unique(pixels[::32, ::32].reshape(-1, 3), axis=0)) > 3, "tiles differ"


def test_tumour_keeps_to_beds_on_the_slide_of_the_guided_run(tmp_path: Path) -> None:
    """By the phantom's own cells: the share that was asked for, and most of the rest has none at all."""
    from napari_her2.cli.bench.slides import PATCH_CELLS, PATCH_PX, _carcinoma, _with_beds
    from napari_her2.geometry import Box

    size = 4480
    scene, (top, left) = _with_beds(size, 0.2)
    count = _carcinoma(scene, PATCH_PX, Box(top, left, size, size))
    assert count.shape == (10, 10)
    assert (count >= PATCH_CELLS).mean() == pytest.approx(0.2, abs=0.02)
    assert (count <= 1).mean() > 0.5
    path = confined(tmp_path, 512)
    with open_slide(path) as slide:
        assert (slide.shape, slide.um_per_px) == ((512, 512), 0.25)


def test_two_workers_are_held_against_twice_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases of a second; workers take three to start, and two of them need a tenth more for each case."""

    def finished(manifest: Path, out: Path, workers: int) -> list[float]:
        assert manifest.read_text().count("ihc.ome.tif") == cluster.CASES
        assert not out.exists()
        each = 1.0 if workers == 1 else 1.1
        return [3 + each * (k // workers + 1) for k in range(cluster.CASES)]

    monkeypatch.setattr(cluster, "_finished", finished)
    verdict = cluster.two_workers(BenchWishes(work=tmp_path, phantom_um=200.0, repeat=2))
    assert verdict.value == pytest.approx(1 / 1.1, rel=0.01)
    assert verdict.details["seconds_with_start"] == {"1": 11.0, "2": 7.4}
    assert verdict.to_json()["met"]


def test_an_import_is_held_against_numpys(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = asked(["--only", "P10", "--repeat", 1], capsys)
    assert code == 0
    assert found["P10"]["value"] > 0
    assert found["P10"]["budget"] == "<= 1.3"


def test_a_name_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = asked(["--only", "P1,P99"], capsys)
    assert code == 2
    assert "P99" in said["error"]["message"]


@pytest.mark.parametrize(
    ("value", "at_least", "met"),
    [(0.9, True, True), (0.89, True, False), (0.9, False, True), (None, True, None)],
)
def test_budgets(value: float | None, at_least: bool, met: bool | None) -> None:
    verdict = Verdict(value=value, unit="x", budget=0.9, at_least=at_least, details={})
    assert verdict.to_json()["met"] is met
