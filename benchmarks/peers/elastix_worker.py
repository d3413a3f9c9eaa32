"""One registration by elastix, in an environment of its own (``pip install itk-elastix``).

``python elastix_worker.py FIXED.png MOVING.png POINTS.csv`` prints one JSON object: where the points
(``x,y`` of the fixed image) land on the moving one, the seconds spent, and the peak memory. Affine, then
B-spline, with the parameter maps that elastix comes with; grey images, a fixed seed.
"""

from __future__ import annotations

import csv
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import itk


def main() -> None:
    fixed, moving = (itk.imread(name, itk.F) for name in sys.argv[1:3])
    with Path(sys.argv[3]).open() as lines:
        points = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(lines)]
    began = time.perf_counter()
    wishes = itk.ParameterObject.New()
    for kind in ("affine", "bspline"):
        defaults = itk.ParameterObject.GetDefaultParameterMap(kind, 4)
        defaults["AutomaticTransformInitialization"] = ["true" if kind == "affine" else "false"]
        defaults["RandomSeed"] = ["1"]
        wishes.AddParameterMap(defaults)
    _, found = itk.elastix_registration_method(fixed, moving, parameter_object=wishes, log_to_console=False)
    seconds = time.perf_counter() - began
    print(
        json.dumps(
            {
                "points": carried(moving, found, points),
                "seconds": seconds,
                "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def carried(moving, found, points: list[tuple[float, float]]) -> list[list[float]]:
    """Points through the transform; elastix counts from the centre of the first pixel."""
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "points.txt"
        lines = [f"{x - 0.5} {y - 0.5}" for x, y in points]
        asked.write_text("\n".join(["index", str(len(lines)), *lines]) + "\n")
        itk.transformix_filter(
            moving, found, fixed_point_set_file_name=str(asked), output_directory=folder, log_to_console=False
        )
        answer = (Path(folder) / "outputpoints.txt").read_text().splitlines()
    places = [line.split("OutputPoint = [")[1].split("]")[0].split() for line in answer]
    return [[float(x) + 0.5, float(y) + 0.5] for x, y in places]


if __name__ == "__main__":
    main()
