"""Options of the command on many cases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_her2.cli.parser import positive_int, white, whole_number

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    Make = Callable[[Any, str, str], argparse.ArgumentParser]

__all__ = ["add_cohort_command"]


def add_cohort_command(commands: Any, make: Make) -> None:
    """Add the command; see :func:`napari_her2.cli.case_parser.add_case_commands`."""
    parser = make(commands, "cohort", "many cases: a folder each, and a summary")
    parser.add_argument(
        "manifest",
        metavar="MANIFEST.csv",
        type=Path,
        help="columns case, he, ihc; may have um_per_px_he, um_per_px_ihc, white_he, white_ihc, rule, ish, "
        "reference_score, site, scanner; paths from its own folder",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="holds a folder per case")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, e.g. tcp://host:8786")
    parser.add_argument(
        "--workers", type=positive_int, metavar="N", help="on this machine; default one per core"
    )
    parser.add_argument(
        "--retries", type=whole_number, default=2, metavar="N", help="per case, after a fault outside of it"
    )
    for slide in ("ihc", "he"):
        parser.add_argument(
            f"--white-{slide}", type=white, metavar="R,G,B", help="bare glass of all cases of one scanner"
        )
    parser.add_argument("--rule", metavar="NAME", help="guideline of all cases; see `rule --list`")
    parser.add_argument("--engine", choices=("auto", "classical", "transformer"), help="default auto")
    parser.add_argument("--device", metavar="auto|cpu|cuda[:N]|mps")
    parser.add_argument("--min-cells", type=positive_int, metavar="N", help="default 100, pictures 20")
    parser.add_argument(
        "--without-corrections", action="store_true", help="leave out what people corrected; it is kept"
    )
    parser.add_argument("--restart", action="store_true", help="forget what the cases' folders hold")
