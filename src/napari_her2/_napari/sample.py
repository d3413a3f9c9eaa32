"""The sample "HER2 phantom case": drawn and scored on first use, then kept in the cache."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_her2._napari.preferences import preferences
from napari_her2._napari.reader import read_case_layers

if TYPE_CHECKING:
    from napari_her2._napari.layers import LayerData
    from napari_her2.events import Steps
    from napari_her2.phantom import PhantomSpec

__all__ = ["make_sample", "phantom_case", "sample_folder", "sample_spec"]

RECIPE = "phantom_case.yaml"
MOST_SECONDS = 1800.0


def sample_spec() -> PhantomSpec:
    """Return the recipe of the sample case."""
    import yaml

    from napari_her2.phantom import PhantomSpec

    recipe: dict[str, Any] = yaml.safe_load(files(__package__).joinpath(RECIPE).read_text(encoding="utf-8"))
    width, height = recipe.pop("size_um")
    return PhantomSpec(**recipe, size_um=(width, height))


def sample_folder() -> Path:
    """Return where the sample case is kept."""
    from napari_her2.case.whereabouts import cache_folder

    chosen = preferences().cache_folder
    return (Path(chosen).expanduser() if chosen else cache_folder()) / "samples" / "phantom"


def make_sample(folder: Path) -> Steps[Path]:
    """Draw the pair and score it, as far as that was not done yet; return the case's folder."""
    from napari_her2.case import is_case
    from napari_her2.phantom import render_phantom
    from napari_her2.pipeline import CaseRequest, score_case

    case = folder / "case"
    if is_case(case):
        return case
    if not (folder / "truth.json").is_file():
        yield from render_phantom(sample_spec(), folder)
    yield from score_case(CaseRequest(ihc=folder / "ihc.ome.tif", he=folder / "he.ome.tif", out=case))
    return case


def phantom_case() -> list[LayerData]:
    """Return the layers of the sample case; the window stays alive while it is made."""
    return read_case_layers(str(_made(sample_folder())))


def _made(folder: Path) -> Path:
    from napari_her2.events import drain

    if "qtpy" in sys.modules:
        from napari_her2._napari.worker import run_in_window, window_open

        if window_open():
            return run_in_window(lambda: make_sample(folder), "HER2 phantom case", MOST_SECONDS)
    return drain(make_sample(folder))
