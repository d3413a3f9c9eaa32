"""A million cells as GeoJSON: processor time, memory above the table, size; and read back.

python benchmarks/export_cells.py [N]
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_her2.cells import CellTable
from napari_her2.exchange import read_cell_features, write_cells_geojson, write_coco


def table(n: int) -> CellTable:
    rng = np.random.default_rng(0)
    return CellTable.of(
        row_px=rng.random(n) * 1e5, col_px=rng.random(n) * 1e5, class_code=rng.integers(0, 5, n),
        completeness=rng.random(n), intensity_od=rng.random(n), membrane_width_um=rng.random(n) * 3,
        nucleus_area_um2=rng.random(n) * 40 + 20, epithelial=rng.random(n), in_tumour=rng.random(n) < 0.8,
        excluded=rng.integers(0, 3, n),
    )  # fmt: skip


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(name: str, path: Path, work) -> dict[str, object]:
    begun, cpu = time.perf_counter(), time.process_time()
    work()
    return {
        "what": name,
        "cpu_s": round(time.process_time() - cpu, 1),
        "wall_s": round(time.perf_counter() - begun, 1),
        "mb": round(path.stat().st_size / 1e6),
        "peak_mib": round(peak_mib()),
    }


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    cells = table(n)
    found = [{"what": "table alone", "peak_mib": round(peak_mib())}]
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in (("a.geojson", "nucleus"), ("a.geojson.gz", "nucleus"), ("b.geojson", "point")):
            path = Path(folder) / name
            write = lambda p=path, s=shape: write_cells_geojson(p, cells, um_per_px=0.25, shape=s)  # noqa: E731
            found.append(measured(f"{name} {shape}", path, write))
        path = Path(folder) / "c.json"
        coco = lambda: write_coco(path, image="i", shape=(10**5,) * 2, cells=cells, um_per_px=0.25)  # noqa: E731
        found.append(measured("COCO", path, coco))
        path = Path(folder) / "b.geojson"
        found.append(measured("read points back", path, lambda: read_cell_features(path)))
    print(json.dumps({"cells": n, "runs": found}, indent=1))


if __name__ == "__main__":
    main()
