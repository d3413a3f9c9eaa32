"""``cells``: the cells of an IHC slide or picture as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_her2.cells import CellTable, detect_cells
from napari_her2.cli.console import Answer, follow
from napari_her2.errors import OutputError, SlideError
from napari_her2.exchange import write_cells_csv
from napari_her2.geometry import Box
from napari_her2.slides import Slide, open_slide
from napari_her2.stain import guess_stain
from napari_her2.store import writable_folder
from napari_her2.tissue import find_tissue

if TYPE_CHECKING:
    import argparse

    from napari_her2.events import Steps

__all__ = ["run"]

THUMBNAIL_PX: Final = 512


def run(arguments: argparse.Namespace) -> Answer:
    """Find the cells and write the table."""
    out = arguments.out
    if out.is_dir():
        raise OutputError(f"{out.name} is a folder: give the name of a CSV file with --out")
    with open_slide(arguments.image, um_per_px=arguments.um_per_px) as slide:
        region = _region(slide, arguments.region)
        _ = slide.um_per_px  # a missing pixel size is told before anything is made
        writable_folder(out.absolute().parent)
        flags = _flags(slide)
        cells = follow(_find(slide, region), quiet=arguments.json)
    write_cells_csv(out, cells)
    data = {
        "out": str(out),
        "cells": len(cells),
        "evaluable": int(cells.evaluable.sum()),
        "by_class": cells.counts(),
        "excluded": cells.excluded_counts(),
        "flags": flags,
    }
    classes = ", ".join(f"{name} {n}" for name, n in cells.counts().items())
    doubt = "\nIt looks like H&E, not like HER2 IHC: then the classes mean nothing." if flags else ""
    return Answer(data, f"{len(cells)} cells, {data['evaluable']} evaluable ({classes}): {out}{doubt}")


def _flags(slide: Slide) -> list[str]:
    return ["unexpected_stain"] if guess_stain(slide.thumbnail(THUMBNAIL_PX), slide.white) == "he" else []


def _region(slide: Slide, xywh: tuple[int, int, int, int] | None) -> Box | None:
    if xywh is None:
        return None
    region, whole = Box.from_xywh(*xywh), Box.of_shape(slide.shape)
    if not whole.contains(region):
        size = f"{whole.width} x {whole.height} px"
        raise SlideError(f"the region {','.join(map(str, xywh))} is not wholly inside {slide.name} ({size})")
    return region


def _find(slide: Slide, region: Box | None) -> Steps[CellTable]:
    return (yield from detect_cells(slide, region, mask=find_tissue(slide)))
