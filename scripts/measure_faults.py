"""What an engine misses on phantoms with faults, see docs/phantom.md.

    python scripts/measure_faults.py draw FOLDER
    PYTHONPATH=OLD/src python scripts/measure_faults.py measure FOLDER

Drawing needs the present code; measuring runs with any version, such as a worktree of 0.1.0. A nucleus is
missed where no cell that counts lies within 4 µm. What the mask leaves out is held for glass; on a slide
without glass that is tissue lost. Takes about three minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

SEEDS = (5, 6, 7)
FAULTS = {
    "3+": ("3+", {}),
    "3+ saturated": ("3+", {"saturated": 1.0}),
    "3+ saturated, flat": ("3+", {"saturated": 1.0, "flat": 1.0}),
    "0": ("0", {}),
    "0 no glass": ("0", {"no_glass": 1.0}),
    "0 no glass, flat": ("0", {"no_glass": 1.0, "flat": 1.0}),
}
NEAR_UM = 4.0
SIDE_UM = 500.0


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("what", choices=("draw", "measure"))
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    {"draw": draw, "measure": measure}[options.what](options.folder)


def draw(folder: Path) -> None:
    from napari_her2.events import drain
    from napari_her2.phantom import Faults, PhantomSpec, render_phantom

    for name, (shown, strengths) in FAULTS.items():
        for seed in SEEDS:
            spec = PhantomSpec(
                seed=seed, mix={shown: 100.0}, size_um=(SIDE_UM, SIDE_UM), faults=Faults(**strengths)
            )
            drain(render_phantom(spec, folder / f"{name} {seed}"))


def measure(folder: Path) -> None:
    for name in FAULTS:
        shares = np.array([_shares(folder / f"{name} {seed}") for seed in SEEDS])
        missed, lost = 100 * shares.mean(axis=0)
        print(f"{name:20s} nuclei missed {missed:3.0f} %, held for glass {lost:3.0f} %")


def _shares(pair: Path) -> tuple[float, float]:
    """Fractions of the carcinoma cells missed, and of the slide that is held for glass."""
    import pyarrow.parquet as pq
    from scipy.spatial import KDTree

    from napari_her2.cells import detect_cells
    from napari_her2.events import drain
    from napari_her2.slides import open_slide
    from napari_her2.tissue import find_tissue

    truth = pq.read_table(pair / "truth_cells.parquet").to_pandas()
    places = truth.loc[truth["in_tumour"], ["y", "x"]].to_numpy()
    with open_slide(pair / "ihc.ome.tif") as slide:
        mask = find_tissue(slide)
        cells = drain(detect_cells(slide, mask=mask))
    found = np.asarray(cells.points_px)[np.asarray(cells.excluded) == 0]
    far = KDTree(found).query(places)[0] if len(found) else np.full(len(places), np.inf)
    return float((far * 0.25 > NEAR_UM).mean()), float((np.asarray(mask.labels) == 0).mean())


if __name__ == "__main__":
    main()
