"""What people drew or imported on the H&E teaches C, whatever the run itself guessed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.case.example import report_dict

from napari_her2.case import read_case
from napari_her2.errors import UsageError
from napari_her2.exchange import Area, add_drawn
from napari_her2.learning.bundles import _confirmed
from napari_her2.learning.patch import HE_CODES

if TYPE_CHECKING:
    from pathlib import Path

SQUARE = np.array([[10.0, 10], [10, 90], [90, 90], [90, 10]])


def test_imported_areas_are_confirmed_outlines(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps(report_dict()))
    (tmp_path / "case.json").write_text(
        json.dumps({"schema": "napari-her2/case/1", "slides": [], "files": {}})
    )
    case = read_case(tmp_path)
    with pytest.raises(UsageError, match="no confirmed tumour outline"):
        _confirmed(case)
    areas = [Area(outline=SQUARE, name="Tumor"), Area(outline=SQUARE / 2, name="Reviewed")]
    add_drawn(case.files, areas, slide="he", source="qupath.geojson", who="R")
    add_drawn(case.files, [Area(outline=SQUARE, name="Tumor")], slide="ihc", source="qupath.geojson")
    ((code, rings),) = _confirmed(case)
    assert code == HE_CODES["invasive"]
    assert {tuple(p) for p in rings[0]} == {tuple(p) for p in SQUARE}
