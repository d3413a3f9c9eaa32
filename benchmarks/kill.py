"""Kill `napari-her2 predict` at random moments and compare what comes out in the end with an undisturbed run.

    python benchmarks/kill.py [--model NAME] [--kills 20] [--size 2048] [--work DIR]

A real process with a real model gets SIGKILL; the same command then goes on. Moments are drawn evenly over
the patches, as the journal counts them. Prints one JSON object: what was kept before and after each kill, and
whether all files are the same to the last bit.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from napari_her2.cli.bench.slides import large_slide
from napari_her2.models import find_model
from napari_her2.store import read_journal


def kept(out: Path) -> int:
    """Patches in the journals of unfinished work."""
    rows = sum(
        struct.unpack_from("<I", data)[0]
        for path in (out / "running" / "rows").glob("*.log")
        for data, _ in read_journal(path)
    )
    return rows + sum(struct.unpack_from("<I", d)[0] for d, _ in read_journal(out / "running" / "journal"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tumour-tiny")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    with TemporaryDirectory() as fresh:
        work = given.work or Path(fresh)
        slide = large_slide(work, given.size)
        words = [sys.executable, "-m", "napari_her2", "predict", str(slide), "--model", given.model]
        words += ["--least-tissue", "0", "--overlap", "0.5", "--device", "cpu", "--json", "--out"]
        whole, parts = Path(fresh) / "whole", Path(fresh) / "parts"
        done = subprocess.run([*words, str(whole)], check=True, capture_output=True, text=True)
        record = json.loads(done.stdout)
        patches, kills, early = record["asked"]["patches"], [], 0
        pixels = find_model(given.model).spec.task == "segment"
        for moment in np.sort(rng.integers(0, patches, given.kills)):
            process = subprocess.Popen(
                [*words, str(parts)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            before = kept(parts)
            goal = min(before + 1, patches) if pixels else moment
            while process.poll() is None and kept(parts) < goal:
                time.sleep(0.01)
            time.sleep(float(rng.uniform(0, 0.3)))
            process.kill()
            early += process.wait() == 0
            kills.append({"kept_before": before, "kept_after": kept(parts)})
        done = subprocess.run([*words, str(parts)], check=True, capture_output=True, text=True)
        again = json.loads(done.stdout)
        same = {name: again["files"].get(name) == value for name, value in record["files"].items()}
        print(
            json.dumps(
                {
                    "model": given.model,
                    "patches": patches,
                    "precision": record["asked"]["precision"],
                    "batch_size": record["asked"]["batch_size"],
                    "kills": len(kills) - early,
                    "each": kills,
                    "same_bits": same,
                },
                indent=2,
            )
        )


if __name__ == "__main__":
    main()
