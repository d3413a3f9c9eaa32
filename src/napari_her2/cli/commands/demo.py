"""``demo``: the phantom case through the whole pipeline, then napari on it or a picture of it."""

from __future__ import annotations

import sys
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from napari_her2.cli.commands.score import NOT_SCORABLE, report_text
from napari_her2.cli.console import Answer, follow
from napari_her2.cli.screen import show
from napari_her2.phantom import PhantomSpec, render_phantom
from napari_her2.pipeline import CaseRequest, score_case
from napari_her2.store import read_json, writable_folder

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

__all__ = ["run"]

RECIPE: Final = "_napari/phantom_case.yaml"


def run(arguments: argparse.Namespace) -> Answer:
    """Render, score, show; what was done before is taken as it is."""
    folder = writable_folder(arguments.out)
    _draw(folder, quiet=arguments.json)
    case = folder / "case"
    request = CaseRequest(ihc=folder / "ihc.ome.tif", he=folder / "he.ome.tif", out=case)
    report = follow(score_case(request), quiet=arguments.json)
    print(report_text(report), file=sys.stderr, flush=True)
    picture = folder / "screenshot.png"
    lacking = show(case, picture)
    data = {
        "case": str(case),
        "screenshot": str(picture) if picture.is_file() else None,
        "lacking": lacking,
        "score": report.call.score,
        "truth": read_json(folder / "truth.json")["score"],
    }
    text = f"The case is in {case}; open {case / 'report.html'}, or drop the folder on napari."
    note = f"\nThere is no picture of the window: {lacking}" if lacking else ""
    return Answer(data, text + note, 0 if report.scorable else NOT_SCORABLE)


def _draw(folder: Path, *, quiet: bool) -> None:
    """Render the pair unless it is there; the truth is written last, so that half a pair is none."""
    if not (folder / "truth.json").is_file():
        follow(render_phantom(_spec(), folder), quiet=quiet)


def _spec() -> PhantomSpec:
    """Read the recipe of the sample case."""
    import yaml

    text = files("napari_her2").joinpath(RECIPE).read_text(encoding="utf-8")
    recipe: dict[str, Any] = yaml.safe_load(text)
    width, height = recipe.pop("size_um")
    return PhantomSpec(**recipe, size_um=(width, height))
