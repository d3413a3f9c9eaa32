"""``export``: a finished case in formats of other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from napari_her2.case import read_case
from napari_her2.cli.console import Answer, follow
from napari_her2.errors import OutputError, UsageError
from napari_her2.exchange import ExportWishes, TileWishes, export_case

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from napari_her2.case import CaseBundle

__all__ = ["run"]

FOLDERS = ("tiles", "dicom", "ome-zarr")


def run(arguments: argparse.Namespace) -> Answer:
    """Open the case and write what is wanted."""
    bundle = read_case(arguments.case)
    out = arguments.out
    _check(out, arguments.to)
    if arguments.to in ("html", "pdf"):
        return _page(bundle, out, arguments.to)
    done = follow(export_case(bundle, arguments.to, out, _wishes(arguments)), quiet=arguments.json)
    data = {"out": str(out), "to": arguments.to, **done.facts}
    told = ", ".join(f"{name} {value}" for name, value in done.facts.items() if name != "out")
    return Answer(data, f"{out}: {told}")


def _page(bundle: CaseBundle, out: Path, kind: Literal["html", "pdf"]) -> Answer:
    from napari_her2.pipeline import write_case_page

    facts = write_case_page(bundle, out, kind)
    lost = "" if facts["maps"] else "; the slides cannot be found, so it has no pictures: see `case relink`"
    return Answer({"out": str(out), "to": kind, **facts}, f"{out}{lost}")


def _wishes(arguments: argparse.Namespace) -> ExportWishes:
    try:
        tiles = TileWishes(
            size_px=arguments.size_px,
            um_per_px=arguments.um_per_px,
            overlap_px=arguments.overlap_px,
            least_reviewed=arguments.least_reviewed,
            picture=arguments.picture,
            validation_share=arguments.validation_share,
            test_share=arguments.test_share,
        )
    except ValueError as error:
        raise UsageError(f"{error}: change the options of tiles") from error
    return ExportWishes(
        slide=arguments.slide,
        layer=arguments.layer,
        table=arguments.table,
        cell_shape=arguments.cell_shape,
        ngff=arguments.ngff,
        tiles=tiles,
        reviewed=arguments.reviewed,
        case_name=arguments.case_name,
    )


def _check(out: Path, to: str) -> None:
    if to not in FOLDERS and out.is_dir():
        raise OutputError(f"{out.name} is a folder: give the name of a file with --out")
    if to in FOLDERS and out.is_file():
        raise OutputError(f"{out.name} is a file: give the name of a folder with --out")
    if (
        to == "ome-zarr"
        and out.is_dir()
        and not (out / "zarr.json").exists()
        and not (out / ".zgroup").exists()
    ):
        raise OutputError(f"{out.name} is a folder of something else: give the name of a new one with --out")
