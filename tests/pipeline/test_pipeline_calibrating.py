"""Control tissue sets the thresholds of the cell engine where a person asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.pipeline.phantoms import render
from tests.pipeline.test_pipeline_case import request, scored

from napari_her2.cells import CellSettings
from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

USUAL = CellSettings()


@pytest.fixture(scope="module")
def glass(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a 0 tumour beside a 3+ control (piece 2) and a 0 control (piece 3)."""
    return render(
        tmp_path_factory.mktemp("calibrating") / "p", score="0", seed=3, size_um=(360.0, 360.0), control=True
    )


def thresholds(glass: Path, out: Path, **pieces: str) -> tuple[dict[str, Any], Any]:
    named = {label.removeprefix("piece_"): role for label, role in pieces.items()}
    report, _ = scored(request(glass, out, he=False, pieces=named, calibrate=True))
    found = report.provenance.settings.get("cell_thresholds", {"value": {}})
    return found["value"], report


def test_a_3_control_moves_all_intensities_by_one_factor(glass: Path, tmp_path: Path) -> None:
    found, report = thresholds(glass, tmp_path / "case", piece_2="control 3+", piece_3="control 0")
    factors = [found[name] / getattr(USUAL, name) for name in ("weak_od", "moderate_od", "intense_od")]
    assert factors[1:] == pytest.approx([factors[0]] * 2, rel=2e-3)
    assert 0.6 <= factors[0] <= 1.6
    assert factors[0] != pytest.approx(1.0, abs=1e-3)
    assert report.call.score == "0"
    assert "control_inadequate" not in report.call.flags
    named = {"2": "control 3+", "3": "control 0"}
    wanted = request(glass, tmp_path / "case", he=False, pieces=named, min_cells=30, calibrate=True)
    again, reused = scored(wanted)
    assert reused["calibration"]
    assert again.provenance.settings["cell_thresholds"]["value"] == found


def test_a_failed_control_is_not_made_to_fit(glass: Path, tmp_path: Path) -> None:
    found, report = thresholds(glass, tmp_path / "case", piece_2="control 0", piece_3="ignore")
    assert found == {}
    assert "control_inadequate" in report.call.flags
    assert report.her2_status == "indeterminate"


@pytest.mark.parametrize("role", ["patient", "control 2+"])
def test_without_a_named_control_of_0_or_3_it_is_refused(glass: Path, tmp_path: Path, role: str) -> None:
    with pytest.raises(UsageError, match="named as control of 0 or 3"):
        thresholds(glass, tmp_path / "case", piece_2=role)
    assert not (tmp_path / "case" / "report.json").exists()
