"""``import``: annotations of other programs and people into a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_her2.case import read_case
from napari_her2.cli.console import Answer
from napari_her2.exchange import import_file

if TYPE_CHECKING:
    import argparse

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> Answer:
    """Read the file and log what it changes."""
    bundle = read_case(arguments.case)
    found = import_file(
        bundle, arguments.file, slide=arguments.slide, who=arguments.reader, reviewed=arguments.reviewed
    )
    data = {
        "areas": found.areas,
        "cells": found.cells,
        "cells_unmatched": found.cells_unmatched,
        "readings": found.readings,
    }
    told = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in data.items() if n) or "nothing new"
    return Answer(data, f"{arguments.case.name}: {told}")
