"""The same slide and the same ViT through this project, LazySlide and TIAToolbox, in turn.

    python benchmarks/peers/inference.py [--lazyslide PYTHON] [--tiatoolbox PYTHON] [--size 4096] [--repeat 5]

Each peer runs in a virtual environment of its own (``uv pip install lazyslide timm``, ``tiatoolbox timm``);
one that is not named is left out. Time is that of the call that reads and predicts, patches per second count
each program's own patches. Peers compute in float32, as they do by themselves; this project in both
precisions. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from napari_her2.cli.bench.setting import machine
from napari_her2.cli.bench.slides import large_slide
from napari_her2.models import find_model

HERE = Path(__file__).resolve().parent


def ran(python: str, worker: str, words: list[str]) -> dict:
    """What a worker tells: seconds, and probabilities by corner."""
    done = subprocess.run(
        [python, str(HERE / worker), *words],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        sys.exit(f"{worker} ended with {done.returncode}: {last[:300]}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return {
        "rate": len(told["answers"]) / told["seconds"],
        "answers": {(x, y): p for x, y, p in told["answers"]},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lazyslide", metavar="PYTHON")
    parser.add_argument("--tiatoolbox", metavar="PYTHON")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--model", default="tumour-tiny")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--workers", type=int, default=0, help="loading processes of the peers")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keeps the slide; else temporary")
    given = parser.parse_args()
    entry = find_model(given.model)
    spec = str(entry.folder / f"{entry.spec.name}.json")
    with TemporaryDirectory() as fresh:
        slide = str(large_slide(given.work or Path(fresh), given.size))
        peer = [slide, spec, str(given.batch), str(given.workers)]
        programs = {
            "napari-her2": (sys.executable, "our_worker.py", [slide, given.model, "auto"]),
            "napari-her2 float32": (sys.executable, "our_worker.py", [slide, given.model, "float32"]),
        }
        if given.lazyslide:
            programs["lazyslide"] = (given.lazyslide, "lazyslide_worker.py", peer)
        if given.tiatoolbox:
            programs["tiatoolbox"] = (given.tiatoolbox, "tiatoolbox_worker.py", peer)
        told: dict[str, list[dict]] = {name: [] for name in programs}
        for _ in range(given.repeat):
            for name, how in programs.items():
                told[name].append(ran(*how))
                print(f"{name}: {told[name][-1]['rate']:.1f} patches/s", file=sys.stderr, flush=True)
    rates = {name: statistics.median(one["rate"] for one in runs) for name, runs in told.items()}
    ours = told["napari-her2"][0]["answers"]
    print(
        json.dumps(
            {
                "machine": machine("cpu"),
                "model": given.model,
                "size_px": given.size,
                "repeat": given.repeat,
                "patches_per_s": {name: round(rate, 2) for name, rate in rates.items()},
                "times_as_fast_as": {
                    name: round(rates["napari-her2"] / rate, 2)
                    for name, rate in rates.items()
                    if name != "napari-her2"
                },
                "common_patches": {
                    name: len(ours.keys() & runs[0]["answers"].keys()) for name, runs in told.items()
                },
                "largest_change": {
                    name: round(
                        max(
                            (abs(ours[at] - p) for at, p in runs[0]["answers"].items() if at in ours),
                            default=float("nan"),
                        ),
                        4,
                    )
                    for name, runs in told.items()
                },
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
