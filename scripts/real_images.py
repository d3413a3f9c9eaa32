"""Real slides through the program, as the table of docs/real_images.md.

    python scripts/real_images.py [--data ../shared/data] [--overlays FOLDER]

Images that are not there are left out and named. For most of them nobody has stated a score: the table
shows what the program says, not whether it is right.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.case import read_case
from napari_her2.errors import Her2Error
from napari_her2.events import drain
from napari_her2.pipeline import CaseRequest, Wishes, score_case
from napari_her2.slides import describe, open_slide
from napari_her2.stain import guess_stain
from napari_her2.tissue import TISSUE_LABELS, find_tissue
from napari_her2.vocabulary import CELL_CLASSES, COLOURS

if TYPE_CHECKING:
    from napari_her2.case import Report

ROOT = Path(__file__).resolve().parent.parent
SVS, DICOM = "slides/CMU-1-Small-Region.svs", "slides/cmu-1-small-region-dicom"
LONGEST_PX = 1600


@dataclass(frozen=True, slots=True)
class Trial:
    """One image at one pixel size; the size is assumed where the file states none."""

    name: str
    um_per_px: float | None
    what: str


OPENED = (
    Trial(SVS, None, "H&E, SVS"),
    Trial(DICOM, None, "the same, DICOM"),
    Trial("slides/tcga-cr-7395-no-mpp.svs", 0.25, "H&E, SVS without pixel size"),
    Trial("slides/crc-ihc-8.tif", 4.0, "IHC of colon, pyramid"),
    Trial("slides/crc-ihc-15.tif", 4.0, "IHC of colon, pyramid"),
    Trial("slides/kidney-ihc.tif", 8.0, "IHC of kidney, overview"),
)
SCORED = (
    Trial("fhl2", 0.5, "FHL2 in colon glands (skimage), plausible size"),
    Trial("fhl2", 0.25, "the same, half that size"),
    Trial("slides/crc-ihc-8.tif", 4.0, "colon, plausible size"),
    Trial("slides/crc-ihc-8.tif", 0.5, "the same, as if a scan at 20x"),
    Trial("slides/crc-ihc-15.tif", 4.0, "colon, plausible size"),
    Trial("slides/crc-ihc-15.tif", 0.5, "the same, as if a scan at 20x"),
    Trial("slides/kidney-ihc.tif", 0.5, "kidney overview, as if a scan at 20x"),
    Trial(SVS, None, "H&E given as IHC"),
)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--overlays", type=Path, help="write image and cells side by side as PNG there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        places = Places(options.data, Path(folder), options.overlays)
        print("| image | what | size, µm/px | looks like | tissue, mm² (share of the image) |")
        print("|---|---|---|---|--:|")
        for trial in OPENED:
            places.row(trial, opened)
        print("\n| image | given as | µm/px | call | cells | 3+/2+/unusual/1+/0, % | flags, what is said |")
        print("|---|---|--:|---|--:|---|---|")
        for trial in SCORED:
            places.row(trial, scored)
        same_pixels(options.data)


@dataclass(frozen=True, slots=True)
class Places:
    """Where images lie and what is made of them goes."""

    data: Path
    work: Path
    overlays: Path | None

    def find(self, name: str) -> Path:
        """Path of an image; scikit-image's is written to a file first."""
        if name != "fhl2":
            return self.data / name
        import cv2
        from skimage.data import immunohistochemistry

        path = self.work / "fhl2.png"
        cv2.imwrite(str(path), immunohistochemistry()[..., ::-1])
        return path

    def row(self, trial: Trial, show: object) -> None:
        """Print one row, or say on stderr that the image is missing."""
        path = self.find(trial.name)
        if not path.exists():
            print(f"{trial.name} is not there", file=sys.stderr)
            return
        print(show(trial, path, self), flush=True)  # type: ignore[operator]


def opened(trial: Trial, path: Path, places: Places) -> str:
    """Facts and tissue of a slide."""
    with open_slide(path, um_per_px=trial.um_per_px) as slide:
        facts = describe(slide)
        tissue = find_tissue(slide)
        stain = guess_stain(slide.thumbnail(512), slide.white)
        share = float((tissue.labels == TISSUE_LABELS["tissue"]).mean())
        height, width = facts["shape"]
        stated = "" if trial.um_per_px is None else " assumed"
        size = f"{width} x {height}, {slide.um_per_px:g}{stated}"
        found = f"{tissue.tissue_mm2:.3f} ({share:.0%})"
    if places.overlays is not None:
        draw_tissue(path, trial, tissue.labels, places.overlays)
    return f"| {path.name} | {trial.what} | {size} | {stain} | {found} |"


def scored(trial: Trial, path: Path, places: Places) -> str:
    """Call and flags."""
    case = Path(tempfile.mkdtemp(dir=places.work))
    wishes = Wishes(um_per_px_ihc=trial.um_per_px)
    start = f"| {path.name} | {trial.what} | {trial.um_per_px or 'stated'} "
    try:
        report = drain(score_case(CaseRequest(ihc=path, out=case, options=wishes, preferences=Wishes())))
    except Her2Error as error:
        return f"{start}| refused | | | {error} |"
    if places.overlays is not None:
        draw_cells(path, case, places.overlays, f"{path.stem}_{trial.um_per_px or 'stated'}.png")
    return start + told(report)


def told(report: Report) -> str:
    """Return the last columns of a scored image."""
    call = report.call
    shares = " / ".join(f"{report.percent[name]:.0f}" for name in ("3+", "2+", "unusual", "1+", "0"))
    plain = [flag for flag in call.flags if flag not in ("no_tumour_gate", "tumour_unconfirmed")]
    said = "; ".join([", ".join(plain), call.reason]) if plain else call.reason
    return f"| {call.score or 'not scorable'} | {report.cells.evaluable} | {shares} | {said} |"


def draw_cells(path: Path, case: Path, folder: Path, name: str) -> None:
    """Write the image beside the image with its evaluable cells (filled) and others (rings)."""
    import cv2

    cells = read_case(case).cells()
    with open_slide(path) as slide:
        rgb = slide.thumbnail(LONGEST_PX)
        scale = rgb.shape[0] / slide.shape[0]
    marked = rgb.copy()
    points = np.round(cells.points_px * scale).astype(int)
    for (row, col), code, counts in zip(points, cells.class_code, cells.evaluable, strict=True):
        colour = tuple(int(COLOURS[CELL_CLASSES[code]][k : k + 2], 16) for k in (1, 3, 5))
        cv2.circle(marked, (int(col), int(row)), 4, colour, -1 if counts else 1, cv2.LINE_AA)
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / name), np.hstack([rgb, marked])[..., ::-1])


def draw_tissue(path: Path, trial: Trial, labels: np.ndarray, folder: Path) -> None:
    """Write the image with the outline of its tissue."""
    import cv2

    with open_slide(path, um_per_px=trial.um_per_px) as slide:
        rgb = slide.thumbnail(LONGEST_PX).copy()
    tissue = (labels == TISSUE_LABELS["tissue"]).astype(np.uint8)
    mask = cv2.resize(tissue, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(rgb, outlines, -1, (0, 160, 0), 2)
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{path.stem}_tissue.png"), rgb[..., ::-1])


def same_pixels(data: Path) -> None:
    """Compare the SVS and the DICOM version of one slide."""
    if not all((data / name).exists() for name in (SVS, DICOM)):
        return
    with open_slide(data / SVS) as svs, open_slide(data / DICOM) as dicom:
        one, two = (slide.pyramid[0].compute().astype(int) for slide in (svs, dicom))
    off = np.abs(one - two)
    print(
        f"\nSVS and DICOM of the same slide: mean difference {off.mean():.2f} grey levels, "
        f"99 % of values within {np.quantile(off, 0.99):.0f}, shift of the mean {(one - two).mean():+.3f}."
    )


if __name__ == "__main__":
    main()
