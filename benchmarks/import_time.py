"""P10: what ``import napari_her2`` costs, as a ratio to ``import numpy`` in the same run.

    python benchmarks/import_time.py [--repeat N]

Prints one JSON object. Absolute times do not hold on shared machines; the ratio does (budget 1.3).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

STATEMENTS = {
    "python": "pass",
    "numpy": "import numpy",
    "napari_her2": "import napari_her2",
    "scoring": "import napari_her2.scoring",
    "rule": "from napari_her2 import apply_rule; apply_rule({'complete_intense': 50, 'none': 100})",
}


def seconds(statement: str) -> float:
    """Wall time of a fresh interpreter that runs the statement."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - started


def measure(repeat: int) -> dict[str, object]:
    """Medians over interleaved runs, and their ratios to numpy."""
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(repeat):
        for name, statement in STATEMENTS.items():
            times[name].append(seconds(statement))
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "benchmark": "P10 import",
        "budget": 1.3,
        "ratio_to_numpy": {name: round(value / medians["numpy"], 3) for name, value in medians.items()},
        "seconds": {name: round(value, 4) for name, value in medians.items()},
        "repeat": repeat,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=11)
    print(json.dumps(measure(parser.parse_args().repeat), indent=2))
