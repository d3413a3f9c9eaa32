"""The benchmarks of docs/performance.md, each against a floor measured in the same run."""

from __future__ import annotations

from napari_her2.cli.bench.suite import NAMES, BenchWishes, run_bench

__all__ = ["NAMES", "BenchWishes", "run_bench"]
