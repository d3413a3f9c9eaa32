"""Tissue and white against what was marked by eye (docs/real_tissue_marks.md), and on fields without glass.

    python scripts/measure_tissue.py [marks fields] [--data ../shared/data] [--overlays FOLDER]

``marks``: recall and precision of every marked picture. ``fields``: squares cut wholly inside marked tissue
of the cores, as a camera without any glass in view sees it: white clipped to 255 or shifted to grey-blue,
compressed again. Some two minutes on one core; images that are not there are left out and named.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from napari_her2.geometry import Box
from napari_her2.slides import Slide, open_slide
from napari_her2.tissue import TISSUE_LABELS, TissueMask, find_tissue

ROOT = Path(__file__).resolve().parent.parent
MARKS = ROOT / "tests" / "cases" / "real" / "tissue_marks"
GLASS, TISSUE, UNJUDGED, WALLS, CELLS = range(5)
KINDS = {"glass": GLASS, "tissue": TISSUE, "unsure": UNJUDGED, "walls": WALLS, "cells": CELLS}
BAND_UM, OPENING_UM2, LEAST_CELL_PX = 20.0, 15_000.0, 20
PRESENT = tuple(TISSUE_LABELS[name] for name in ("tissue", "fold", "blur"))
WIDTHS_UM = (160.0, 250.0, 400.0)
LOOKS = (("clipped", (255.0, 255.0, 255.0), 80), ("grey-blue", (232.0, 243.0, 250.0), 75))


@dataclass(frozen=True, slots=True)
class Marks:
    """One picture's marks."""

    name: str
    image: str
    um_per_px: float
    rings: tuple[tuple[str, np.ndarray, float], ...]


def read_marks(path: Path) -> Marks:
    """Read a file of marks; rings are (n, 2) ``x, y`` in level-0 pixels."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    rings = tuple(
        (
            f["properties"]["kind"],
            np.array(f["geometry"]["coordinates"][0], float),
            f["properties"].get("green_below", 0.0),
        )
        for f in stored["features"]
    )
    return Marks(path.stem, stored["image"], float(stored["um_per_px"]), rings)


def painted(marks: Marks, slide: Slide, mask: TissueMask) -> np.ndarray:
    """Codes of what is marked on the raster of a mask; what is not judged is UNJUDGED."""
    codes = np.full(mask.labels.shape, GLASS, np.uint8)
    limit = 0.0
    for kind, ring, green_below in marks.rings:
        limit = green_below or limit
        points = np.round((ring / mask.level0_px - 0.5) * 256).astype(np.int32)
        cv2.fillPoly(codes, [points], KINDS[kind], shift=8)
    walls = codes == WALLS
    if walls.any():
        codes[walls] = _walls(_green(slide, mask) < limit, mask.um_per_px)[walls]
    codes[codes == CELLS] = UNJUDGED
    return np.where(_near_border(codes, mask.um_per_px), UNJUDGED, codes).astype(np.uint8)


def _green(slide: Slide, mask: TissueMask) -> np.ndarray:
    rows, cols = mask.labels.shape
    side = mask.level0_px
    box = Box(0, 0, round(rows * side), round(cols * side))
    return slide.read_at(box, mask.um_per_px)[:rows, :cols, 1]


def _walls(dark: np.ndarray, um: float) -> np.ndarray:
    _, label, stats, _ = cv2.connectedComponentsWithStats((~dark).astype(np.uint8), connectivity=4)
    wide = stats[label, cv2.CC_STAT_AREA] * um**2 > OPENING_UM2
    far = cv2.distanceTransform((~dark).astype(np.uint8), cv2.DIST_L2, 5) > BAND_UM / um + 0.5
    return np.where(dark, TISSUE, np.where(wide & far, GLASS, UNJUDGED))


def _near_border(codes: np.ndarray, um: float) -> np.ndarray:
    near = np.zeros(codes.shape, bool)
    for this, other in ((GLASS, TISSUE), (TISSUE, GLASS)):
        if (codes == other).any():
            away = cv2.distanceTransform((codes != other).astype(np.uint8), cv2.DIST_L2, 5)
            near |= (codes == this) & (away <= max(BAND_UM / um, 1.0))
    return near


def cells_seen(marks: Marks, slide: Slide, mask: TissueMask) -> tuple[int, int]:
    """Marked single cells that lie on tissue, and how many there are."""
    kind, ring, limit = next((r for r in marks.rings if r[0] == "cells"), ("", np.zeros((0, 2)), 0.0))
    if not kind:
        return 0, 0
    left, top = ring.min(axis=0).astype(int)
    right, bottom = ring.max(axis=0).astype(int)
    green = slide.read(Box(top, left, bottom - top, right - left))[..., 1]
    inside = np.zeros(green.shape, np.uint8)
    cv2.fillPoly(inside, [np.round(ring - (left, top)).astype(np.int32)], 1)
    n, _, stats, centres = cv2.connectedComponentsWithStats(((green < limit) & (inside > 0)).astype(np.uint8))
    large = np.arange(n)[stats[:, cv2.CC_STAT_AREA] >= LEAST_CELL_PX][1:]
    labels = mask.at(centres[large][:, ::-1] + 0.5 + (top, left))
    return int(np.isin(labels, PRESENT).sum()), len(large)


def marked(data: Path, overlays: Path | None) -> None:
    """Print recall and precision of each marked picture."""
    print("| picture | white (from) | recall | precision | usable of marked tissue | note |")
    print("|---|---|--:|--:|--:|---|")
    worst = [1.0, 1.0]
    for path in sorted(MARKS.glob("*.geojson")):
        marks = read_marks(path)
        if not (data / marks.image).exists():
            print(f"{marks.image} is not there", file=sys.stderr)
            continue
        with open_slide(data / marks.image, um_per_px=marks.um_per_px) as slide:
            mask = find_tissue(slide)
            codes = painted(marks, slide, mask)
            seen, cells = cells_seen(marks, slide, mask)
            white = f"{', '.join(f'{v:.0f}' for v in slide.white)} ({slide.background.origin})"
            if overlays is not None:
                draw(slide, mask, codes, overlays / f"{marks.name}.png")
        found = np.isin(mask.labels, PRESENT)
        judged = codes != UNJUDGED
        recall = _share(found, codes == TISSUE) if not cells else seen / cells
        precision = _share(codes == TISSUE, found & judged)
        usable = _share(mask.tissue, codes == TISSUE)
        worst = [min(worst[0], recall), min(worst[1], precision if not cells else 1.0)]
        note = mask.reason or (f"{seen} of {cells} cells" if cells else "")
        shown = "-" if cells else f"{precision:.3f}"
        print(f"| {marks.name} | {white} | {recall:.3f} | {shown} | {usable:.3f} | {note} |", flush=True)
    print(f"\nLeast recall {worst[0]:.3f}, least precision {worst[1]:.3f}.")


def _share(what: np.ndarray, where: np.ndarray) -> float:
    return float(what[where].mean()) if where.any() else 1.0


def draw(slide: Slide, mask: TissueMask, codes: np.ndarray, path: Path) -> None:
    """Write the picture with tissue (green), pen, edge (blue, red) and judged errors (filled)."""
    rgb = slide.thumbnail(1400)
    size = rgb.shape[1::-1]
    found = np.isin(mask.labels, PRESENT)
    wrong = (found & (codes == GLASS)) | (~found & (codes == TISSUE))
    shade = cv2.resize(wrong.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    out = rgb.copy()
    out[shade] = out[shade] // 2 + np.array((127, 0, 100), np.uint8)
    for part, colour in (
        (found, (0, 150, 0)),
        (mask.labels == 2, (0, 0, 255)),
        (mask.labels == 5, (255, 0, 0)),
    ):
        small = cv2.resize(part.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(small, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(out, outlines, -1, colour, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), out[..., ::-1])


def fields(data: Path, overlays: Path | None) -> None:
    """Print what is left of tissue on fields without glass."""
    print("| core | look | fields | least tissue | mean tissue | white taken (from): fields |")
    print("|---|---|--:|--:|--:|---|")
    for path in sorted(MARKS.glob("core_*.geojson")):
        marks = read_marks(path)
        if not (data / marks.image).exists():
            continue
        with open_slide(data / marks.image, um_per_px=marks.um_per_px) as slide:
            squares = [slide.read(box) for box in inside(marks, slide)]
            glass = slide.white
        for look, white, quality in LOOKS:
            answers = [field(_shifted(rgb, glass, white), quality, marks.um_per_px) for rgb in squares]
            shares = [a["share"] for a in answers]
            whites = [a["white"] for a in answers]
            told = "; ".join(f"{w}: {whites.count(w)}" for w in sorted(set(whites)))
            found = f"{len(shares)} | {min(shares):.3f} | {np.mean(shares):.3f}"
            print(f"| {marks.name} | {look} | {found} | {told} |", flush=True)


def inside(marks: Marks, slide: Slide) -> list[Box]:
    """Three squares of each width wholly inside marked tissue, at seeded places."""
    step = 8
    codes = np.zeros((slide.shape[0] // step, slide.shape[1] // step), np.uint8)
    for kind, ring, _ in marks.rings:
        cv2.fillPoly(codes, [np.round(ring / step).astype(np.int32)], int(kind == "tissue"))
    rng, boxes = np.random.default_rng(13), []
    for um in WIDTHS_UM:
        side = round(um / slide.um_per_px)
        kernel = np.ones((side // step + 1,) * 2, np.uint8)
        fits = cv2.erode(codes, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        places = np.argwhere(fits > 0) * step - side // 2
        boxes += [
            Box(*(max(int(v), 0) for v in places[k]), side, side) for k in rng.permutation(len(places))[:3]
        ]
    return boxes


def _shifted(rgb: np.ndarray, glass: tuple[float, ...], white: tuple[float, ...]) -> np.ndarray:
    return np.clip(np.rint(rgb * (np.array(white) / np.array(glass))), 0, 255).astype(np.uint8)


def field(rgb: np.ndarray, quality: int, um_per_px: float) -> dict[str, Any]:
    """Share of a field that is tissue, and the white taken."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "field.jpg"
        cv2.imwrite(str(path), rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        with open_slide(path, um_per_px=um_per_px) as slide:
            mask = find_tissue(slide)
            white = f"{', '.join(f'{v:.0f}' for v in slide.white)} ({slide.background.origin})"
    return {"share": float(np.isin(mask.labels, PRESENT).mean()), "white": white}


def main() -> None:
    """Run the parts that are named, or both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=["marks", "fields", []], help="default: both")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--overlays", type=Path, help="write pictures with outlines and errors there")
    options = parser.parse_args()
    for name, part in (("marks", marked), ("fields", fields)):
        if name in (options.parts or ("marks", "fields")):
            part(options.data, options.overlays)


if __name__ == "__main__":
    main()
