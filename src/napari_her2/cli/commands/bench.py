"""``bench``: the benchmarks, each against its floor in the same run."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from napari_her2.cli.bench import BenchWishes, run_bench
from napari_her2.cli.console import Answer
from napari_her2.store import writable_folder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> Answer:
    """Measure; a budget that is missed is a finding, not a failure."""
    with ExitStack() as stack:
        if arguments.work is None:
            work = Path(stack.enter_context(TemporaryDirectory()))
        else:
            work = writable_folder(arguments.work, "--work")
        wishes = BenchWishes(
            only=tuple(arguments.only or ()),
            size_px=arguments.size,
            phantom_um=arguments.phantom_um,
            he=arguments.he,
            repeat=arguments.repeat,
            model=arguments.model,
            device=arguments.device,
            precision=arguments.precision,
            work=work,
        )
        found: dict[str, Any] = {"schema": "napari-her2/bench/1"}
        for name, result in run_bench(wishes):
            found[name] = result
            if name != "machine" and not arguments.json:
                print(_line(name, result), file=sys.stderr, flush=True)
    lines = [
        _line(name, result) for name, result in found.items() if isinstance(result, dict) and "met" in result
    ]
    return Answer(found, "\n".join(lines))


def _line(name: str, result: Mapping[str, Any]) -> str:
    said = {True: "met", False: "MISSED", None: "not measured"}[result["met"]]
    return f"{name:4} {result['value']} {result['unit']} (budget {result['budget']}): {said}"
