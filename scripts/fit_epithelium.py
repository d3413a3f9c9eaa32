"""The weights of cells/epithelium.py: fitted on marked cells and phantoms, and how they do on cores left out.

    python scripts/fit_epithelium.py [--data ../shared/data] [--phantoms 12]

Marked cells of the cores and cells of phantoms have half of the weight each, epithelium and the rest half of
that. Each core is judged by weights that its marks took no part in; phantoms by weights of all cores and of
the other phantoms. Prints a table of shares by cut, synthetic and real apart, then the weights.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow.parquet as pq
from cell_marks import MATCH_UM, auc, of_file, pair, read_crops, read_marks
from real_pictures import CORE_UM, cores
from scipy.spatial import cKDTree
from sklearn.linear_model import LogisticRegression

from napari_her2.cells.classify import own_membranes
from napari_her2.cells.detect import SURE, measure_cells, slide_stain
from napari_her2.cells.epithelium import TERMS, epithelial_terms
from napari_her2.cells.faint import stained_share
from napari_her2.events import drain
from napari_her2.phantom import PhantomSpec, render_phantom
from napari_her2.slides import open_slide
from napari_her2.tissue import find_tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.slides import Slide

ROOT = Path(__file__).resolve().parent.parent
MARKED = ROOT / "tests" / "cases" / "real"
FIRST_SEED: Final = 5200
SCORES: Final = ("0", "1+", "2+", "3+")
STROMA_UM: Final = 9.0
"""A cell of a phantom so far from any carcinoma cell is none: truth tables name carcinoma alone."""
CUTS: Final = (0.2, 0.3, 0.4, 0.5, 0.7)


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--phantoms", type=int, default=12)
    options = parser.parse_args()
    real = {core.name: marked(core.path) for core in cores(options.data)}
    drawn = {f"phantom {i}": phantom(i) for i in range(options.phantoms)}
    for title, own in (("real (marked cells)", real), ("synthetic (phantoms)", drawn)):
        chance = {name: fitted(real, drawn, without=name).predict_proba(own[name][0])[:, 1] for name in own}
        report(title, np.concatenate(list(chance.values())), np.concatenate([own[name][1] for name in own]))
    model = fitted(real, drawn)
    print(f"bias {model.intercept_[0]:.2f}", *map("{} {:.2f}".format, TERMS, model.coef_[0]))


def terms(slide: Slide) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places of all cells, level-0 pixels, and what the score weighs."""
    stain = slide_stain(slide, find_tissue(slide))
    cells = drain(measure_cells(slide, stain=stain))
    stained = stained_share(cells) >= SURE
    membranes = own_membranes(cells.borders, cells.height_od, stained, stain.scale)
    return np.column_stack([cells.row, cells.col]), epithelial_terms(cells, membranes, stain.nucleus_od)


def marked(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Terms of the surely marked cells that are found, and whether they are epithelium."""
    with open_slide(path, um_per_px=CORE_UM) as slide:
        places, values = terms(slide)
    _, said = of_file(path.name, read_crops(MARKED / "cell_crops.csv"), read_marks(MARKED / "cell_marks.csv"))
    mark, cell = pair(said.points_px, places, MATCH_UM / CORE_UM)
    sure = said.sure[mark]
    return values[cell[sure]], said.epithelium[mark[sure]]


def phantom(index: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Terms of invasive carcinoma and of what is far from any carcinoma."""
    seed = FIRST_SEED + index
    spec = PhantomSpec(
        seed=seed, score=SCORES[index % 4], size_um=(600, 600), stain_seed=seed + 2000, in_situ=0
    )
    with tempfile.TemporaryDirectory() as folder:
        drain(render_phantom(spec, Path(folder)))
        with open_slide(Path(folder) / "ihc.ome.tif") as slide:
            places, values = terms(slide)
        table = pq.read_table(Path(folder) / "truth_cells.parquet").to_pydict()
    far_px, _ = cKDTree(np.column_stack([table["y"], table["x"]])).query(places)
    near, away = far_px * CORE_UM < MATCH_UM, far_px * CORE_UM > STROMA_UM
    return values[near | away], near[near | away]


def fitted(
    real: dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]],
    drawn: dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]],
    without: str = "",
) -> LogisticRegression:
    """Fit on all but one core or phantom; each source weighs the same, and so does each kind in it."""
    values, truth, weight = [], [], []
    for source in (real, drawn):
        kept = [parts for name, parts in source.items() if name != without]
        kinds = np.concatenate([kind for _, kind in kept])
        values.append(np.concatenate([terms for terms, _ in kept]))
        truth.append(kinds)
        weight.append(np.where(kinds, 1 / kinds.sum(), 1 / (~kinds).sum()))
    weights = np.concatenate(weight)
    model = LogisticRegression(C=3.0, max_iter=1000)
    return model.fit(np.concatenate(values), np.concatenate(truth), sample_weight=weights / weights.mean())


def report(title: str, chance: NDArray[np.float64], truth: NDArray[np.bool_]) -> None:
    """Print the table of one source."""
    print(f"{title}: {truth.sum()} epithelium, {(~truth).sum()} other cells, AUC {auc(chance, truth):.3f}\n")
    print("| cut | epithelium lost | others kept |\n|--:|--:|--:|")
    for cut in CUTS:
        print(f"| {cut:g} | {(chance[truth] < cut).mean():.3f} | {(chance[~truth] >= cut).mean():.3f} |")
    print(flush=True)


if __name__ == "__main__":
    main()
