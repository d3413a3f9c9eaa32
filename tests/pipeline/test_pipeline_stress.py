"""The call under stress: what a change of a sample does to a case, the changes of pixels, a whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.pipeline.test_pipeline_case import request

from napari_her2.cells.planes import TileStain
from napari_her2.events import drain
from napari_her2.pipeline import score_case
from napari_her2.pipeline.stress import CHANGES, SPARE, Change, called_again, changed
from napari_her2.scoring import load_rule
from napari_her2.stain import mix, optical_density, transmit, unmix

if TYPE_CHECKING:
    from pathlib import Path

RULE = load_rule("asco-cap-breast-2023")
WHOLE = np.array([600, 200, 0, 0, 150, 50])


@pytest.mark.parametrize(
    ("before", "after", "score"),
    [
        pytest.param([60, 20, 0, 0, 15, 5], [60, 20, 0, 0, 15, 5], "2+", id="nothing changes"),
        pytest.param([100, 0, 0, 0, 0, 0], [100, 0, 0, 0, 0, 0], "2+", id="a sample unlike the case"),
        pytest.param([60, 20, 0, 0, 15, 5], [60, 20, 0, 0, 5, 15], "3+", id="stronger"),
        pytest.param([60, 20, 0, 0, 15, 5], [65, 35, 0, 0, 0, 0], "1+", id="weaker"),
        pytest.param([60, 20, 0, 0, 15, 5], [0, 0, 0, 0, 0, 0], None, id="no cells left"),
        pytest.param([60, 20, 0, 0, 15, 5], [3, 1, 0, 0, 1, 0], None, id="too few cells left"),
    ],
)
def test_what_changes_in_a_sample_is_added_to_the_case(
    before: list[int], after: list[int], score: str | None
) -> None:
    assert called_again(WHOLE, np.array(before), np.array(after), RULE, 100) == score


def test_the_density_of_dab_is_scaled_and_haematoxylin_stays() -> None:
    stain = TileStain(white=(240.0, 240.0, 240.0))
    amounts = np.zeros((8, 8, 3)) + np.array((0.3, 0.4, 0.0))
    rgb = np.round(transmit(mix(amounts, stain.vectors), stain.white)).astype(np.uint8)
    again = changed(rgb, stain, Change(what="", dab=1.2), 0.25)
    found = unmix(optical_density(again, stain.white), stain.vectors).mean(axis=(0, 1))
    assert found[:2] == pytest.approx((0.3, 0.48), abs=0.02)
    assert np.array_equal(changed(rgb, stain, Change(what=""), 0.25), rgb)
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    assert changed(noise, stain, Change(what="", blur_um=0.35), 0.25).std() < noise.std()


def test_a_case_says_what_flips_its_call(pair: Path, tmp_path: Path) -> None:
    report = drain(score_case(request(pair, tmp_path / "case", he=False, stress=True)))
    assert [mark.what for mark in report.stress] == [*(change.what for change in CHANGES), SPARE]
    assert report.call.score == "2+"
    assert sum(mark.score == "2+" for mark in report.stress) >= 5, "a plain case stands most of it"
    assert "changes flip the call" in (tmp_path / "case" / "report.html").read_text()
    assert drain(score_case(request(pair, tmp_path / "plain", he=False))).stress == ()
