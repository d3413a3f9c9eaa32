"""All benchmarks by name, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_her2.cli.bench.setting import BenchWishes, machine
from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_her2.cli.bench.setting import Verdict

__all__ = ["NAMES", "BenchWishes", "run_bench"]

NAMES: Final = ("P1", "P2", "P3", "P6", "P7", "P8", "P9", "P10")
SCHEMA: Final = "napari-her2/bench/1"


def run_bench(wishes: BenchWishes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run the benchmarks that are asked for.

    Yields
    ------
    tuple of str and dict
        First ``machine``, then each benchmark with its result as plain values.

    Raises
    ------
    UsageError
        If a name is unknown.
    Her2Error
        If the model or the folder cannot be used.
    """
    unknown = [name for name in wishes.only if name not in NAMES]
    if unknown:
        raise UsageError(f"there is no benchmark {unknown[0][:40]!r}: choose of {', '.join(NAMES)}")
    yield "machine", machine(wishes.device)
    for name, measure in _measures().items():
        if not wishes.only or name in wishes.only:
            yield name, measure(wishes).to_json()


def _measures() -> dict[str, Callable[[BenchWishes], Verdict]]:
    from napari_her2.cli.bench import cluster, inference, others

    return {
        "P1": inference.whole_slide,
        "P2": others.coarse_to_fine,
        "P3": inference.first_pixels,
        "P6": inference.memory,
        "P7": inference.finish,
        "P8": others.cells,
        "P9": cluster.two_workers,
        "P10": others.imports,
    }
