"""Pairs without landmarks: overlays to look at, and how far blocks of the two pictures still lie apart.

``python benchmarks/registration_overlays.py [--data ../shared/data] [--out docs/images]``

her2st     two serial H&E sections of one breast tumour, C2 and C3
scanners   one cytology slide on three scanners against a fourth (0.5 µm/px, nominal)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from napari_her2.events import drain
from napari_her2.geometry import Box
from napari_her2.mapping import SlideMapping, register, register_images
from napari_her2.mapping.blocks import block_centres, match_blocks
from napari_her2.mapping.features import describe
from napari_her2.mapping.picture import darkness
from napari_her2.slides import Slide, open_slide
from napari_her2.tissue import find_tissue

HER2ST_UM = 0.686
CYTOLOGY_UM = 0.5
"""Nominal: the four files state no pixel size; all hold the same square in about 5000 pixels."""
SCANNERS = ("563479-axioscan.tif", "563479-nanozoomer-ht.ndpi", "563479-nanozoomer-s210.ndpi")
REFERENCE = "563479-aperio.svs"
SIDE_PX = 560
FIELDS = 13
SQUARES = 8


def aligned(he: Slide, ihc: Slide) -> SlideMapping:
    return drain(register(he, ihc, find_tissue(he), find_tissue(ihc)))


def of_pictures(he: Slide, ihc: Slide, um_per_px: float = 2.0) -> SlideMapping:
    """Cells on glass are no tissue to the tissue finder: whatever is dark counts."""
    images = [slide.read_at(Box.of_shape(slide.shape), um_per_px) for slide in (he, ihc)]
    return register_images(*images, he_um_per_px=um_per_px, ihc_um_per_px=um_per_px)


def drawn(mapping: SlideMapping, ihc: Slide, um_per_px: float, part_um: tuple[float, ...]) -> np.ndarray:
    """The second slide on the grid of the first, over top, left, height, width in µm."""
    top, left, height, width = part_um
    shape = round(height / um_per_px), round(width / um_per_px)
    grid = (np.indices(shape).reshape(2, -1).T + 0.5) * um_per_px + (top, left)
    place = mapping.he_to_ihc_um(grid)
    low, high = place.min(axis=0) - 4 * um_per_px, place.max(axis=0) + 4 * um_per_px
    low = np.maximum(low, 0)
    box = Box(*(int(value / ihc.um_per_px) for value in (*low, *(high - low))))
    box = box.intersect(Box.of_shape(ihc.shape)) or Box.of_shape(ihc.shape)
    image = ihc.read_at(box, um_per_px)
    scale = np.array(image.shape[:2]) / (np.array([box.height, box.width]) * ihc.um_per_px)
    at = ((place - np.array([box.row, box.col]) * ihc.um_per_px) * scale - 0.5).astype(np.float32)
    rows, cols = (at[:, axis].reshape(shape) for axis in (0, 1))
    return cv2.remap(image, cols, rows, cv2.INTER_LINEAR, borderValue=(255, 255, 255))


def fixed_part(he: Slide, um_per_px: float, part_um: tuple[float, ...]) -> np.ndarray:
    height, width = part_um[2:]
    box = Box(*(round(value / he.um_per_px) for value in part_um))
    shape = round(height / um_per_px), round(width / um_per_px)
    return cv2.resize(he.read_at(box, um_per_px), shape[::-1], interpolation=cv2.INTER_AREA)


def checkered(first: np.ndarray, second: np.ndarray, squares: int = SQUARES) -> np.ndarray:
    rows, cols = np.indices(first.shape[:2])
    side = max(first.shape[:2]) // squares
    take = (rows // side + cols // side) % 2 == 0
    return np.where(take[..., None], first, second)


def apart_um(first: np.ndarray, second: np.ndarray, um_per_px: float) -> np.ndarray:
    """How far blocks that are found again lie from where they should."""
    both = [describe(darkness(image), np.ones(image.shape[:2], bool)) for image in (first, second)]
    dark = cv2.GaussianBlur(darkness(first), (0, 0), 3)
    centres = block_centres(dark > 0.03, 16, 16, least=0.1)
    found = match_blocks(both[0], both[1], centres, 16, 16)
    return np.linalg.norm(found.shifts, axis=1)[found.scores > 0.3] * um_per_px


def saved(folder: Path, name: str, image: np.ndarray) -> None:
    shrink = min(1.0, SIDE_PX / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    cv2.imwrite(
        str(folder / f"{name}.jpg"), cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80]
    )


def words(name: str, mapping: SlideMapping, apart: np.ndarray) -> str:
    middle, most = np.percentile(apart, [50, 90]) if len(apart) else (np.nan, np.nan)
    review = "yes" if mapping.needs_review else ""
    return (
        f"| {name} | {mapping.kind} | {len(apart)} | {middle:.1f} | {most:.1f} "
        f"| {mapping.residual_um_p90:.1f} | {review} |"
    )


def her2st(data: Path, out: Path) -> None:
    folder = data / "registration" / "her2st-serial-he"
    slides = [open_slide(folder / f"{name}.jpg", um_per_px=HER2ST_UM) for name in ("C2", "C3")]
    mapping = aligned(*slides)
    whole = (0.0, 0.0, *(length * HER2ST_UM for length in slides[0].shape))
    pictures = fixed_part(slides[0], 4.0, whole), drawn(mapping, slides[1], 4.0, whole)
    saved(out, "registration_her2st", checkered(*pictures))
    print(words("HER2ST C2, C3", mapping, apart_um(*pictures, 4.0)), flush=True)


def scanners(data: Path, out: Path) -> None:
    folder = data / "registration" / "cytology-4-scanners"
    reference = open_slide(folder / REFERENCE, um_per_px=CYTOLOGY_UM)
    for name in SCANNERS:
        other = open_slide(folder / name, um_per_px=CYTOLOGY_UM)
        mapping = of_pictures(reference, other)
        apart = []
        for number, part in enumerate(fields(mapping)):
            pictures = fixed_part(reference, 1.0, part), drawn(mapping, other, 1.0, part)
            apart.append(apart_um(*pictures, 1.0))
            if number == FIELDS // 2:
                saved(out, f"registration_{Path(name).stem.split('-', 1)[1]}", checkered(*pictures, 4))
        print(words(name, mapping, np.concatenate(apart)), flush=True)


def fields(mapping: SlideMapping, side_um: float = 400.0) -> list[tuple[float, ...]]:
    """Return fields spread over the part that both slides show."""
    rows, cols = (np.arange(0, size - side_um, side_um) for size in mapping.he.size_um)
    corners = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)
    inside = corners[mapping.inside((corners + side_um / 2) / mapping.he.um_per_px, "he")]
    chosen = inside[np.linspace(0, len(inside) - 1, FIELDS).astype(int)] if len(inside) else inside
    return [(float(row), float(col), side_um, side_um) for row, col in chosen]


PARTS = {"her2st": her2st, "scanners": scanners}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--only", choices=PARTS, action="append")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print("| pair | kind | blocks | median µm | p90 µm | stated p90 µm | review |")
    print("|---|---|--:|--:|--:|--:|---|")
    for part in options.only or PARTS:
        PARTS[part](options.data, options.out)


if __name__ == "__main__":
    main()
