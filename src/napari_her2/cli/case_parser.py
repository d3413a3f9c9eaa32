"""Options of the commands on finished cases: export, import, case, reader-study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_her2.cli.parser import fraction, positive_int, um_per_px

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    Make = Callable[[Any, str, str], argparse.ArgumentParser]

__all__ = ["add_case_commands"]

FORMATS: Final = (
    "geojson",
    "ome-tiff",
    "ome-zarr",
    "csv",
    "parquet",
    "tiles",
    "coco",
    "dicom",
    "html",
    "pdf",
)
ACTIONS: Final = {
    "verify": "what was changed since sealing",
    "seal": "hash everything as it is now, with the reader's name if wanted",
    "relink": "say where the slides lie now; they are recognised by their hash",
    "pack": "the whole case as one file",
    "unpack": "a packed case back into a folder, verified",
    "rerun": "score the same slides with the same settings again and compare",
}


def add_case_commands(commands: Any, make: Make) -> None:
    """Add the commands.

    Parameters
    ----------
    commands : sub-parsers of argparse
    make : callable
        Makes a command from its name and what it does.
    """
    _export(make(commands, "export", "results and annotations for other programs"))
    _import(make(commands, "import", "annotations of other programs and people into a case"))
    _case(make(commands, "case", "; ".join(f"{name}: {what}" for name, what in ACTIONS.items())))
    _readers(make(commands, "reader-study", "several readers' scores of the same cases, compared"))


def _readers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", metavar="CSV|CASE|FOLDER", type=Path)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--reference", metavar="READER", help="whom the others are measured against")
    parser.add_argument("--without-program", action="store_true", help="people only")
    parser.add_argument("--draws", type=positive_int, default=2000, metavar="N", help="of the bootstrap")
    parser.add_argument("--seed", type=positive_int, default=1, metavar="N")


def _export(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(module="export_case")
    parser.add_argument("case", metavar="CASE", type=Path)
    parser.add_argument("--to", choices=FORMATS, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help=".gz is honoured")
    parser.add_argument("--slide", choices=("he", "ihc"), default="ihc", help="whose areas; default ihc")
    parser.add_argument("--layer", choices=("her2", "segmentation", "tumour"), help="raster of labels")
    parser.add_argument("--ngff", choices=("0.4", "0.5"), default="0.5", help="version of OME-Zarr")
    parser.add_argument("--table", choices=("cells", "patches"), default="cells", help="csv, parquet")
    parser.add_argument("--cell-shape", choices=("nucleus", "point"), default="nucleus", help="geojson")
    tiles = parser.add_argument_group("tiles")
    tiles.add_argument("--size-px", type=positive_int, default=512, metavar="N")
    tiles.add_argument("--um-per-px", type=um_per_px, default=0.5, metavar="X")
    tiles.add_argument("--overlap-px", type=positive_int, default=0, metavar="N")
    tiles.add_argument("--picture", choices=("png", "tiff"), default="png")
    tiles.add_argument("--least-reviewed", type=fraction, default=0.9, metavar="F", help="of a tile's area")
    tiles.add_argument("--reviewed", type=Path, metavar="FILE.geojson", help="further reviewed areas")
    tiles.add_argument("--validation-share", type=fraction, default=0.2, metavar="F", help="of the cases")
    tiles.add_argument("--test-share", type=fraction, default=0.0, metavar="F")
    tiles.add_argument("--case-name", default="", metavar="NAME", help="default: the folder's name")


def _import(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(module="import_case")
    parser.add_argument("case", metavar="CASE", type=Path)
    parser.add_argument("file", metavar="FILE", type=Path, help="GeoJSON, COCO, XML, TIFF, OME-Zarr or CSV")
    parser.add_argument("--slide", choices=("he", "ihc"), default="ihc", help="where the file does not say")
    parser.add_argument("--reader", default="", metavar="NAME", help="who drew it, for the log")
    parser.add_argument("--reviewed", action="store_true", help="everything inside the areas is labelled")


def _case(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=tuple(ACTIONS))
    parser.add_argument("case", metavar="CASE", type=Path, help="folder; unpack: the .her2.zip")
    parser.add_argument("--reader", default="", metavar="NAME", help="seal: who seals")
    parser.add_argument("--he", type=Path, metavar="FILE", help="relink, rerun: the H&E slide")
    parser.add_argument("--ihc", type=Path, metavar="FILE", help="relink, rerun: the IHC slide")
    parser.add_argument("--out", type=Path, metavar="PATH", help="pack: file; unpack, rerun: folder")
    parser.add_argument("--with-slides", action="store_true", help="pack: the slides as well")
