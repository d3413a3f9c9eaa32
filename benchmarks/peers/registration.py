"""The landmark pairs by this project and by elastix, one after the other in one run.

``python benchmarks/peers/registration.py --peer-python PEERS/bin/python [--data ../shared/data]``

``PEERS`` is a virtual environment with ``itk-elastix``; nothing of it is needed elsewhere. The elastix
row starts from the images as they lie: it has no search over angles or faces.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from registration import PAIRS, Pair, landmark_pair, measured, reverse

WORKER = Path(__file__).with_name("elastix_worker.py")


def by_elastix(pair: Pair, python: Path) -> tuple[np.ndarray, float, float]:
    """Error of each landmark in percent of the target's diagonal, seconds, and peak MiB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stain, image in (("fixed", pair.he), ("moving", pair.ihc)):
            cv2.imwrite(str(folder / f"{stain}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        rows = "\n".join(f"{col},{row}" for row, col in pair.he_px)
        (folder / "points.csv").write_text(f"x,y\n{rows}\n")
        files = [str(folder / name) for name in ("fixed.png", "moving.png", "points.csv")]
        done = subprocess.run([str(python), str(WORKER), *files], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    away = np.linalg.norm(np.array(answer["points"])[:, ::-1] - pair.ihc_px, axis=1)
    return 100 * away / np.hypot(*pair.ihc.shape[:2]), answer["seconds"], answer["mib"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer-python", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    print("| pair | program | median % | p90 % | max % | s |\n|---|---|--:|--:|--:|--:|")
    for name in PAIRS:
        for pair in (landmark_pair(options.data, name), reverse(landmark_pair(options.data, name))):
            row = measured(pair)
            ours = row.median_percent, row.p90_percent, row.max_percent, row.seconds
            percent, seconds, _ = by_elastix(pair, options.peer_python)
            theirs = (*np.percentile(percent, [50, 90, 100]), seconds)
            for program, figures in (("napari-her2", ours), ("elastix", theirs)):
                cells = " | ".join(f"{figure:.2f}" for figure in figures[:3])
                print(f"| {pair.name} | {program} | {cells} | {figures[3]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
