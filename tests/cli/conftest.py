"""One small pair, and one scored case, for all tests of commands."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.pipeline.phantoms import render

from napari_her2.events import drain
from napari_her2.exchange import Area, write_areas
from napari_her2.pipeline import CaseRequest, Wishes, score_case

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``he.ome.tif`` and ``ihc.ome.tif`` of a 2+ phantom."""
    return render(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="session")
def scored(pair: Path) -> Path:
    """Score a case on the pair, beside its slides."""
    folder = pair
    ring = np.array([[20.0, 20.0], [20.0, 1100.0], [1100.0, 1100.0], [1100.0, 20.0]])
    write_areas(folder / "mine.geojson", [Area(outline=ring, name="Tumor", slide="ihc")])
    request = CaseRequest(
        ihc=folder / "ihc.ome.tif",
        he=folder / "he.ome.tif",
        out=folder / "case",
        options=Wishes(engine="classical", roi=folder / "mine.geojson", min_cells=20),
        preferences=Wishes(),
    )
    drain(score_case(request))
    return folder


@pytest.fixture
def case(scored: Path, tmp_path: Path) -> Path:
    """A copy that a test may change, its slides beside it."""
    for name in ("he.ome.tif", "ihc.ome.tif"):
        (tmp_path / name).hardlink_to(scored / name)
    shutil.copytree(scored / "case", tmp_path / "case")
    return tmp_path / "case"
