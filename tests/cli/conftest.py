"""One small pair for all tests of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.pipeline.phantoms import render

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``he.ome.tif`` and ``ihc.ome.tif`` of a 2+ phantom."""
    return render(tmp_path_factory.mktemp("pair"))
