"""Measure the tissue room: pen and edges against masks, focus, artefacts of phantoms, the tumour estimate.

    python benchmarks/tissue.py [masks pictures focus phantoms tumour labels speed]

Real images are read from ``../shared/data`` where it exists; parts without their images are left out.
Phantoms are rendered into a temporary folder. One core, some minutes.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from napari_her2.events import drain
from napari_her2.geometry import Box
from napari_her2.phantom import UM_PER_PX, PhantomScene, PhantomSpec, render_phantom
from napari_her2.slides import open_slide
from napari_her2.tissue import TISSUE_LABELS, find_tissue, tissue_from_rgb, tumour_region
from napari_her2.tissue.focus import sharpness

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LABEL = {code: name for name, code in TISSUE_LABELS.items()}
GLASS = (243.0, 243.0, 243.0)
CARCINOMA = "TUPAC-TR-002-tile-r34-c34-x33793-y33799-w1024-h1024.png"


def picture(name: str) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(DATA / name))[..., ::-1])


def labelled(name: str, um: float) -> np.ndarray:
    """Labels of a whole picture, with the white that its reader estimates."""
    with open_slide(DATA / name, um_per_px=um) as slide:
        return tissue_from_rgb(picture(name), um, slide.white)


def table(title: str, header: str, rows: list[str]) -> None:
    print(f"\n### {title}\n\n| {header} |\n|{'---|' * (header.count('|') + 1)}")
    for row in rows:
        print(f"| {row} |")


def near(mask: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)) > 0


def auc(yes: np.ndarray, no: np.ndarray) -> float:
    return float((yes[:, None] > no[None]).mean() + 0.5 * (yes[:, None] == no[None]).mean())


def masks() -> None:
    """Pen and coverslip edges against drawn masks; the pixel sizes are guessed from the size of a glass."""
    rows = []
    for name, um, label in (
        ("pen_green", 80.0, "pen"), ("pen_red", 40.0, "pen"),
        ("he_coverslip_edge", 20.0, "edge"), ("ihc_coverslip_edge", 20.0, "edge"),
    ):  # fmt: skip
        truth = cv2.imread(str(DATA / f"artefacts/{name}_mask.png"), 0) > 0
        labels = labelled(f"artefacts/{name}.png", um)
        found = labels == TISSUE_LABELS[label]
        kept_out = labels[truth] != TISSUE_LABELS["tissue"]
        rows.append(
            f"{name} | {label} | {found[truth].mean():.3f} | {truth[found].mean():.3f} | "
            f"{near(truth, 2)[found].mean():.3f} | {kept_out.mean():.3f}"
        )
    header = (
        "image | label | recall | precision | precision, 2 px slack | share of mask not counted as tissue"
    )
    table("Pen and coverslip edges against masks", header, rows)


def pictures() -> None:
    """Shares of each label where there is no mask; to be looked at together with the pictures."""
    rows = []
    for name, um in (
        ("artefacts/histolab_no-tissue-green-pen.png", 1), ("artefacts/histolab_no-tissue-red-pen.png", 1),
        ("artefacts/histolab_tcga-green-pen.png", 4), ("artefacts/histolab_tcga-red-pen.png", 8),
        ("artefacts/histolab_high-nuclei-score-red-pen-level1.png", 1),
        ("artefacts/histolab_medium-nuclei-score-green-pen-level1.png", 1),
        ("artefacts/histolab_wsi-blue-pen.png", 80),
        ("artefacts/histolab_diagnostic-slide-thumb-rgb.png", 40),
        ("artefacts/histolab_no-tissue-line.png", 1), ("artefacts/histolab_no-tissue.png", 1),
        ("artefacts/histolab_almost-white-1.png", 1), ("registration/rat-kidney/PanCytokeratin.jpg", 10),
        ("registration/lung-lesion-1/proSPC.jpg", 10), ("registration/valis-serial/rigid-0_ihc_5.png", 10),
        ("registration/valis-serial/rigid-4_ihc_4.png", 10),
    ):  # fmt: skip
        labels = labelled(name, float(um))
        shares = [f"{(labels == code).mean():.3f}" for code in (1, 2, 3, 5)]
        rows.append(f"{name.split('/')[-1]} | {' | '.join(shares)}")
    table("Shares of pictures without masks", "image | tissue | pen | fold | edge", rows)


def focus() -> None:
    """Fine over coarse energy of real pictures after a blur of known width."""
    import skimage.data

    with open_slide(DATA / "slides/CMU-1-Small-Region.svs") as slide:
        cmu = slide.read(Box(600, 400, 1500, 1000)), slide.um_per_px
    sources = {
        "CMU-1 (H&E)": cmu,
        "breast_he_1 (H&E)": (picture("stain/breast_he_1.png"), 0.25),
        "carcinoma tile (H&E)": (picture("he_tumour/carcinoma-tiles/" + CARCINOMA), 0.43),
        "skimage colon (DAB)": (skimage.data.immunohistochemistry(), 0.5),
    }
    rows = []
    for name, (rgb, um) in sources.items():
        values = []
        for sigma in (0.0, 0.5, 1.0, 2.0, 4.0):
            soft = cv2.GaussianBlur(rgb, (0, 0), sigma / um) if sigma else rgb
            small = cv2.resize(soft, None, fx=um, fy=um, interpolation=cv2.INTER_AREA)
            cells = max(small.shape[0] // 64, 1), max(small.shape[1] // 64, 1)
            values.append(f"{np.nanmedian(sharpness(small, 1.0, GLASS, cells)):.2f}")
        rows.append(f"{name} | {' | '.join(values)}")
    table("log10 sharpness after a blur (cut: -0.5)", "picture | sharp | 0.5 µm | 1 µm | 2 µm | 4 µm", rows)


def drawn(stated: dict, shape: tuple[int, int], step: float) -> dict[str, np.ndarray]:
    """Rasters of the artefacts that a phantom states."""
    out = {}
    for name, facts in stated.items():
        canvas = np.zeros(shape, np.uint8)
        if "line_xy" in facts:
            line = np.rint(np.array(facts["line_xy"]) / step).astype(np.int32)
            cv2.polylines(canvas, [line], False, 1, max(round(1.6 * facts["half_width_px"] / step), 1))
        else:
            centre = tuple(np.rint(np.array(facts["centre_xy"]) / step).astype(int).tolist())
            cv2.circle(canvas, centre, round(0.8 * facts["radius_px"] / step), 1, -1)
        out[name] = canvas > 0
    return out


def phantoms() -> None:
    """Artefacts of phantoms: share found, and share of the label that lies on the artefact (100 µm slack)."""
    rows = []
    for seed, score in ((1, "3+"), (2, "2+"), (3, "0"), (4, "3+"), (5, "1+"), (6, "0")):
        spec = PhantomSpec(seed=seed, score=score, size_um=(1200, 1200), pen=True, fold=True, blur=True)
        with tempfile.TemporaryDirectory() as folder:
            drain(render_phantom(spec, Path(folder)))
            stated = json.loads((Path(folder) / "truth.json").read_text())["artefacts"]
            for stain in ("he", "ihc"):
                with open_slide(Path(folder) / f"{stain}.ome.tif") as slide:
                    mask = find_tissue(slide)
                rows.append(f"{seed}, {score}, {stain} | {_artefacts(mask, stated[stain])}")
    header = "phantom | ink | pen recall | not tissue | fold recall | precision | blur recall | precision"
    table("Artefacts of phantoms", header, rows)


def _artefacts(mask, stated: dict) -> str:
    truth = drawn(stated, mask.labels.shape, mask.level0_px)
    slack = round(100 / mask.um_per_px)
    cells = [stated["pen"]["ink"]]
    for name in ("pen", "fold", "blur"):
        found = mask.labels == TISSUE_LABELS[name]
        cells.append(f"{found[truth[name]].mean():.2f}")
        if name == "pen":
            cells.append(f"{(mask.labels[truth[name]] != 1).mean():.2f}")
        else:
            cells.append(f"{near(truth[name], slack)[found].mean():.2f}" if found.any() else "-")
    return " | ".join(cells)


def tumour() -> None:
    """The estimate on phantoms: invasive cells inside, stroma (15 µm from any carcinoma cell) outside."""
    import pyarrow.parquet as pq
    from scipy.spatial import cKDTree

    rows, every = [], []
    for seed in range(1, 13):
        share = 0.25 if seed % 4 == 0 else 0.0
        spec = PhantomSpec(seed=seed, size_um=(800, 800), in_situ=share)
        with tempfile.TemporaryDirectory() as folder:
            drain(render_phantom(spec, Path(folder)))
            cells = pq.read_table(Path(folder) / "truth_cells.parquet").to_pydict()
            carcinoma = PhantomScene(spec).ihc_to_he(np.column_stack([cells["y"], cells["x"]]))
            with open_slide(Path(folder) / "he.ome.tif") as slide:
                tissue = find_tissue(slide)
                raster = drain(tumour_region(slide, tissue))
        invasive = np.array(cells["in_tumour"])
        tree = cKDTree(carcinoma)
        centres = (np.argwhere(tissue.tissue) + 0.5) * tissue.level0_px
        stroma = centres[tree.query(centres)[0] > 15 / UM_PER_PX]
        wide = near(raster.region, max(round(8 / raster.um_per_px), 1))
        index = np.floor(carcinoma[invasive] / raster.level0_px).astype(int)
        figures = (
            (raster.at(carcinoma[invasive]) >= 0.5).mean(), wide[index[:, 0], index[:, 1]].mean(),
            (raster.at(stroma) < 0.5).mean(),
        )  # fmt: skip
        every.append(figures)
        hint = raster.in_situ[tuple((carcinoma / raster.level0_px).astype(int).T)] > 0.5
        ducts = f"{hint[~invasive].mean():.2f}" if (~invasive).any() else "-"
        wrong = hint[invasive].mean()
        rows.append(f"{seed} | {share} | {' | '.join(f'{v:.3f}' for v in figures)} | {ducts} | {wrong:.3f}")
    rows.append(f"mean | | {' | '.join(f'{v:.3f}' for v in np.mean(every, axis=0))} | |")
    header = (
        "seed | in situ | invasive cells inside | same, 8 µm wider | stroma outside | "
        "in situ cells hinted | invasive cells hinted as in situ"
    )
    table("Tumour estimate on phantoms (800 µm, H&E)", header, rows)


def labels() -> None:
    """Real labels: area under the ROC curve."""
    rows = [_idc(), _spots(), *_crops(), _share("he_tumour/carcinoma-tiles/" + CARCINOMA, 0.43)]
    rows += [_share("stain/breast_he_1.png", 0.25), _share("slides/CMU-1-Small-Region.svs", None)]
    table("Tumour estimate on real H&E", "images | what | figure", rows)


def estimated(name: str, um: float | None) -> tuple:
    with open_slide(DATA / name, um_per_px=um) as slide:
        tissue = find_tissue(slide)
        return tissue, drain(tumour_region(slide, tissue))


def _share(name: str, um: float | None) -> str:
    tissue, raster = estimated(name, um)
    share = raster.region.sum() / tissue.tissue.sum()
    return f"{name.split('/')[-1][:24]} | share of tissue called tumour | {share:.2f}"


def _idc() -> str:
    truth = cv2.imread(str(DATA / "he_tumour/idc-14306/labels_50px_grid.png"), 0)
    _, raster = estimated("he_tumour/idc-14306/mosaic.png", 4.0)
    side = round(50 / raster.level0_px)
    full = np.zeros((truth.shape[0] * side, truth.shape[1] * side), np.float32)
    part = raster.probability[: full.shape[0], : full.shape[1]]
    full[: part.shape[0], : part.shape[1]] = part
    means = full.reshape(truth.shape[0], side, truth.shape[1], side).mean(axis=(1, 3))
    yes, no = means[truth == 1], means[truth == 0]
    return (
        f"IDC mosaic, 1 patient, 4 µm/px, {len(yes)} tumour / {len(no)} other squares | AUC | "
        f"{auc(yes, no):.3f} (sensitivity {(yes > 0.5).mean():.2f}, specificity {(no <= 0.5).mean():.2f})"
    )


def _spots() -> str:
    """HER2ST A1; the spots were laid over the picture once by hand (61 px per 200 µm step)."""
    um = 200 / 61
    _, raster = estimated("he_tumour/her2st-a1/he.png", um)
    with (DATA / "he_tumour/her2st-a1/spot_labels.tsv").open() as file:
        spots = list(csv.DictReader(file, delimiter="\t"))
    grid = np.array([[float(r["y"]), float(r["x"])] for r in spots])
    places = (grid - (grid.min(0) + grid.max(0)) / 2) * 61 + np.array([1211.5, 832.0])
    reach = 50 / um
    offsets = np.stack(np.meshgrid(*(np.linspace(-reach, reach, 9),) * 2), axis=-1).reshape(-1, 2)
    values = np.array([raster.at(place + offsets).mean() for place in places])
    kind = np.array([r["label"] for r in spots])
    cancer = np.isin(kind, ["invasive cancer", "cancer in situ"])
    other = np.isin(kind, ["connective tissue", "adipose tissue", "immune infiltrate"])
    return (
        f"HER2ST A1, 1 patient, 3.3 µm/px, {cancer.sum()} cancer / {other.sum()} other spots | AUC | "
        f"{auc(values[cancer], values[other]):.3f}"
    )


def _crops() -> list[str]:
    """BreaKHis crops at an assumed 2 µm/px: share of tumour in malignant and benign ones."""
    share = {"benign": [], "malignant": []}
    for path in sorted((DATA / "he_tumour/breakhis-13-patients").glob("*.png")):
        tissue, raster = estimated(f"he_tumour/breakhis-13-patients/{path.name}", 2.0)
        if tissue.tissue.mean() > 0.2:
            share[path.name.split("-")[0]].append(raster.region.sum() / tissue.tissue.sum())
    yes, no = (np.array(share[k]) for k in ("malignant", "benign"))
    crops = f"BreaKHis, 13 patients, {len(yes)} malignant / {len(no)} benign crops"
    return [f"{crops} | AUC of the share | {auc(yes, no):.3f}"]


def speed() -> None:
    """Processor seconds and rate, reading included."""
    cv2.setNumThreads(1)
    rows = []
    for name, um in (
        ("slides/CMU-1-Small-Region.svs", None),
        ("registration/her2st-serial-he/C2.jpg", 0.686),
    ):
        with open_slide(DATA / name, um_per_px=um) as slide:
            find_tissue(slide)
            start = time.process_time()
            tissue = find_tissue(slide)
            middle = time.process_time()
            drain(tumour_region(slide, tissue))
            end = time.process_time()
        area = tissue.tissue_mm2
        seconds = f"{middle - start:.2f} | {end - middle:.2f} | {area / (end - middle):.1f}"
        rows.append(f"{name.split('/')[-1]} | {area:.2f} | {seconds}")
    header = "slide | tissue mm² | mask s | tumour s | tumour, Mpx/s at 1 µm/px"
    table("Speed (one core)", header, rows)


PARTS = (masks, pictures, focus, phantoms, tumour, labels, speed)

if __name__ == "__main__":
    wanted = sys.argv[1:] or [part.__name__ for part in PARTS]
    for part in PARTS:
        if part.__name__ in wanted and (DATA.exists() or part in (phantoms, tumour)):
            part()
