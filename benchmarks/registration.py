"""Registration, measured: real landmark pairs, hard variants of them, phantoms, and false pairs.

Run ``python benchmarks/registration.py COMMAND [--data ../shared/data] [--count 60] [--json FILE]``:

pairs      the landmark pairs as they are, both directions
slides     the same as files, with the program's own tissue: also pale, tinted, half missing
variants   turned, mirrored, scaled, cropped, pale and warped
phantoms   known truth, a part missing, any angle
false      pairs that do not belong together
matching   100 000 patches

Each prints a table in Markdown. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from napari_her2.geometry import Affine, Box
from napari_her2.mapping import (
    ChosenPatches,
    MappingSettings,
    SlideFrame,
    SlideMapping,
    match_patches,
    overlap_weights,
    register,
    register_images,
    soft_matching,
)
from napari_her2.patches import PatchGrid
from napari_her2.slides import open_slide
from napari_her2.slides.white import find_white
from napari_her2.tissue import find_tissue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAIRS = {"rat-kidney": ("HE", "PanCytokeratin"), "lung-lesion-1": ("HE", "proSPC")}
REAL_UM = 5.0
"""Nominal: the landmark pairs are 5 % copies of scans, their pixel size is not stated."""
SLIDE_UM = 10.0
PHANTOM_UM = 2.0


@dataclass(frozen=True)
class Pair:
    name: str
    he: np.ndarray
    ihc: np.ndarray
    um_per_px: float
    he_px: np.ndarray
    ihc_px: np.ndarray


@dataclass(frozen=True)
class Row:
    name: str
    kind: str
    needs_review: bool
    median_percent: float
    p90_percent: float
    max_percent: float
    median_um: float
    p90_um: float
    stated_p90_um: float
    covered: float
    inside: float
    min_jacobian: float
    inverse_um: float
    seconds: float
    cpu_seconds: float
    reason: str


def landmark_pair(data: Path, name: str) -> Pair:
    folder = data / "registration" / name
    images, tables = [], []
    for stain in PAIRS[name]:
        images.append(cv2.cvtColor(cv2.imread(str(folder / f"{stain}.jpg")), cv2.COLOR_BGR2RGB))
        rows = list(csv.reader((folder / f"{stain}.csv").open()))[1:]
        tables.append({int(row[0]): (float(row[2]), float(row[1])) for row in rows})
    common = sorted(set(tables[0]) & set(tables[1]))
    points = [np.array([table[key] for key in common]) for table in tables]
    return Pair(name, images[0], images[1], REAL_UM, points[0], points[1])


def reverse(pair: Pair) -> Pair:
    return Pair(f"{pair.name}, back", pair.ihc, pair.he, pair.um_per_px, pair.ihc_px, pair.he_px)


def variant(pair: Pair, seed: int) -> Pair:
    """Turn by any angle, mirror or not, scale by 0.7-1.4, warp, crop by a quarter, make pale."""
    rng = np.random.default_rng(seed)
    image, points = pair.ihc, pair.ihc_px
    diagonal = float(np.hypot(*image.shape[:2]))
    angle, scale = rng.uniform(0, 360), float(np.exp(rng.uniform(np.log(0.7), np.log(1.4))))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    linear = scale * Affine.rotation(angle).linear @ np.diag([1.0, mirror])
    waves = [
        (rng.normal(size=2), rng.normal(size=2) * 1.2 / diagonal, rng.uniform(0, 2 * np.pi)) for _ in range(4)
    ]

    def moved(place: np.ndarray) -> np.ndarray:
        parts = [
            amplitude * np.sin(2 * np.pi * place @ wave + phase)[:, None] for amplitude, wave, phase in waves
        ]
        return 0.006 * diagonal * np.sum(parts, axis=0)

    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]) * image.shape[:2] @ linear.T
    low = corners.min(axis=0)
    size = np.ceil(corners.max(axis=0) - low).astype(int)
    grid = np.indices(size).reshape(2, -1).T + 0.5
    straight = (grid + low) @ np.linalg.inv(linear).T
    source = (straight + moved(straight) - 0.5).reshape(*size, 2).astype(np.float32)
    ground = np.percentile(image.reshape(-1, 3), 98, axis=0)
    drawn = cv2.remap(
        image, source[..., 1], source[..., 0], cv2.INTER_LINEAR, borderValue=tuple(map(float, ground))
    )
    undone = points.copy()
    for _ in range(40):
        undone = points - moved(undone)
    there = undone @ linear.T - low
    window, cut = cropped(size, rng)
    pale = ground - (ground - drawn[window].astype(float)) * rng.uniform(0.25, 0.6)
    pale = pale + rng.normal(0, 1.5, pale.shape)
    name = f"{pair.name} {seed}: {angle:.0f} deg x {scale:.2f}{' mirrored' if mirror < 0 else ''}"
    ihc = np.clip(np.round(pale), 0, 255).astype(np.uint8)
    return Pair(name, pair.he, ihc, pair.um_per_px, pair.he_px, there - cut)


def cropped(size: np.ndarray, rng: np.random.Generator) -> tuple[tuple[slice, slice], np.ndarray]:
    side, rows, cols = rng.integers(4), int(size[0]), int(size[1])
    top = rows // 4 if side == 0 else 0
    bottom = rows - rows // 4 if side == 1 else rows
    left = cols // 4 if side == 2 else 0
    right = cols - cols // 4 if side == 3 else cols
    return (slice(top, bottom), slice(left, right)), np.array([top, left])


def phantom_pair(seed: int) -> Pair:
    from napari_her2.phantom.landmarks import landmarks
    from napari_her2.phantom.scene import PhantomScene
    from napari_her2.phantom.spec import UM_PER_PX, PhantomSpec

    rng = np.random.default_rng(7000 + seed)
    spec = PhantomSpec(
        seed=7000 + seed,
        score=("0", "1+", "2+", "3+")[seed % 4],
        size_um=(float(rng.integers(1000, 2200)), float(rng.integers(1000, 2200))),
        rotate_deg=float(rng.uniform(-180, 180)),
        mirror=bool(rng.random() < 0.5),
        warp_um=float(rng.choice([8, 15, 25])),
        missing=0.15,
        shrink=float(rng.choice([0, 0.05, 0.1])),
    )
    scene = PhantomScene(spec)
    he, ihc = (drawn_coarse(scene, stain) for stain in ("he", "ihc"))
    points = landmarks(scene)
    factor = UM_PER_PX / PHANTOM_UM
    name = (
        f"phantom {spec.seed} ({spec.score}, {spec.rotate_deg:.0f} deg{', mirrored' if spec.mirror else ''})"
    )
    return Pair(name, he, ihc, PHANTOM_UM, points * factor, scene.he_to_ihc(points) * factor)


def drawn_coarse(scene, stain: str, factor: int = 8, tile: int = 2048) -> np.ndarray:
    rows, cols = scene.shape(stain)
    draw = scene.he if stain == "he" else scene.ihc
    out = np.zeros((-(-rows // factor), -(-cols // factor), 3), np.uint8)
    for box in Box(0, 0, rows, cols).tiles(tile):
        part = draw(box)
        size = (-(-box.width // factor), -(-box.height // factor))
        top, left = box.row // factor, box.col // factor
        out[top : top + size[1], left : left + size[0]] = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return out


def measured(pair: Pair) -> Row:
    wall, cpu = time.perf_counter(), time.process_time()
    settings = MappingSettings(finest_um_per_px=pair.um_per_px)
    mapping = register_images(
        pair.he, pair.ihc, he_um_per_px=pair.um_per_px, ihc_um_per_px=pair.um_per_px, settings=settings
    )
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return scored(pair, mapping, wall, cpu)


def scored(pair: Pair, mapping: SlideMapping, wall: float, cpu: float) -> Row:
    carried = mapping.he_to_ihc(pair.he_px)
    away = np.linalg.norm(carried - pair.ihc_px, axis=1)
    percent = 100 * away / np.hypot(*pair.ihc.shape[:2])
    um = away * pair.um_per_px
    inside = mapping.inside(pair.ihc_px, "ihc")
    stated = mapping.error_um(pair.ihc_px, "ihc")
    back = np.linalg.norm(mapping.ihc_to_he(carried) - pair.he_px, axis=1) * pair.um_per_px
    return Row(
        name=pair.name,
        kind=mapping.kind,
        needs_review=mapping.needs_review,
        median_percent=float(np.median(percent)),
        p90_percent=float(np.percentile(percent, 90)),
        max_percent=float(percent.max()),
        median_um=float(np.median(um)),
        p90_um=float(np.percentile(um, 90)),
        stated_p90_um=mapping.residual_um_p90,
        covered=float((um <= stated)[inside].mean()) if inside.any() else float("nan"),
        inside=float(inside.mean()),
        min_jacobian=mapping.min_jacobian,
        inverse_um=float(np.percentile(back, 99)),
        seconds=wall,
        cpu_seconds=cpu,
        reason=mapping.reason,
    )


def pairs(options: argparse.Namespace) -> Iterator[Row]:
    for name in PAIRS:
        pair = landmark_pair(options.data, name)
        yield measured(pair)
        yield measured(reverse(pair))


LOOKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda rgb: rgb,
    "pale": lambda rgb: _towards(rgb, 0.35),
    "other scanner": lambda rgb: _graded(rgb, (0.97, 1.02, 1.05), 1.25),
    "half missing": lambda rgb: _without_right(rgb, 0.5),
}


def _towards(rgb: np.ndarray, contrast: float) -> np.ndarray:
    """Return the picture nearer to its glass, as of a pale stain."""
    white = find_white(rgb).rgb
    return np.clip(white + contrast * (rgb - np.array(white)), 0, 255).round().astype(np.uint8)


def _graded(rgb: np.ndarray, tint: tuple[float, ...], gamma: float) -> np.ndarray:
    return np.clip(255 * (rgb / 255) ** gamma * tint, 0, 255).round().astype(np.uint8)


def _without_right(rgb: np.ndarray, share: float) -> np.ndarray:
    """Return the picture with bare glass and its grain in the place of the right part."""
    cut = rgb.copy()
    start = int(rgb.shape[1] * (1 - share))
    bare = np.random.default_rng(5).normal(find_white(rgb).rgb, 1.0, cut[:, start:].shape)
    cut[:, start:] = np.clip(bare, 0, 255).round().astype(np.uint8)
    return cut


def slides(options: argparse.Namespace) -> Iterator[Row]:
    for name in PAIRS:
        for pair in (landmark_pair(options.data, name), reverse(landmark_pair(options.data, name))):
            for look, change in LOOKS.items():
                kept = pair.ihc_px[:, 1] < (0.48 * pair.ihc.shape[1] if look == "half missing" else np.inf)
                changed = replace(
                    pair, name=f"{pair.name}, {look}", ihc=change(pair.ihc),
                    he_px=pair.he_px[kept], ihc_px=pair.ihc_px[kept], um_per_px=SLIDE_UM,
                )  # fmt: skip
                yield as_slides(changed)


def as_slides(pair: Pair) -> Row:
    """Register files with the tissue that the program finds on them."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        opened = []
        for stain, rgb in (("he", pair.he), ("ihc", pair.ihc)):
            cv2.imwrite(f"{folder}/{stain}.png", rgb[..., ::-1])
            opened.append(stack.enter_context(open_slide(f"{folder}/{stain}.png", um_per_px=pair.um_per_px)))
        wall, cpu = time.perf_counter(), time.process_time()
        steps = register(*opened, *(find_tissue(slide) for slide in opened))
        try:
            while True:
                next(steps)
        except StopIteration as stop:
            mapping = stop.value
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return scored(pair, mapping, wall, cpu)


def variants(options: argparse.Namespace) -> Iterator[Row]:
    for seed in range(options.count):
        name = list(PAIRS)[seed % len(PAIRS)]
        yield measured(variant(landmark_pair(options.data, name), 2000 + seed))


def phantoms(options: argparse.Namespace) -> Iterator[Row]:
    for seed in range(options.count):
        yield measured(phantom_pair(seed))


def false_pairs(options: argparse.Namespace) -> Iterator[Row]:
    """Halves that do not meet, the other organ, and phantoms of other blocks; errors mean nothing here."""
    rng = np.random.default_rng(11)
    real = [landmark_pair(options.data, name) for name in PAIRS]
    drawn = [phantom_pair(seed) for seed in range(min(8, options.count // 3 + 2))]
    for index in range(options.count):
        first, second = rng.permutation(len(drawn))[:2]
        kind = index % 3
        if kind == 0:
            pair, other = drawn[first], drawn[second]
            false = Pair(
                f"{pair.name} | {other.name}", pair.he, other.ihc, PHANTOM_UM, pair.he_px, pair.he_px
            )
        elif kind == 1:
            pair, other = real[index % 2], variant(real[1 - index % 2], 3000 + index)
            false = Pair(f"{pair.name} | {other.name}", pair.he, other.ihc, REAL_UM, pair.he_px, pair.he_px)
        else:
            pair = real[index // 3 % 2]
            he, ihc = (halves(image, index % 2, part) for part, image in enumerate((pair.he, pair.ihc)))
            turned = variant(Pair(pair.name, he, ihc, REAL_UM, pair.he_px, pair.he_px), 4000 + index)
            false = Pair(f"halves of {turned.name}", he, turned.ihc, REAL_UM, pair.he_px, pair.he_px)
        yield measured(false)


def halves(image: np.ndarray, axis: int, part: int) -> np.ndarray:
    length = image.shape[axis]
    return np.take(
        image, range(int(0.45 * length)) if part == 0 else range(int(0.55 * length), length), axis=axis
    )


def matching(_: argparse.Namespace) -> None:
    """Time and residuals of matching 100 000 patches."""
    side_px = 141_600
    frame = SlideFrame((side_px, side_px), 0.25)
    from napari_her2.mapping import MappingQuality
    from napari_her2.mapping.frame import Lattice

    quality = MappingQuality(
        kind="rigid",
        residual_um_p50=0.0,
        residual_um_p90=0.0,
        overlap_fraction=1.0,
        min_jacobian=1.0,
        needs_review=False,
        reason="",
    )
    trust = Lattice.over(frame.size_um, 1000.0, 2)
    turn = Affine.rotation(33.0, (frame.size_um[0] / 2, frame.size_um[1] / 2))
    mapping = SlideMapping(he=frame, ihc=frame, affine_um=turn, trust=trust, quality=quality)
    he, ihc = (ChosenPatches.of(grid) for grid in (PatchGrid.he(frame), PatchGrid.ihc(frame)))
    steps: dict[str, Callable[..., object]] = {
        "one to one": match_patches,
        "area weights": overlap_weights,
        "soft": soft_matching,
    }
    print(f"{len(he)} H&E and {len(ihc)} IHC patches, turned by 33 degrees\n\n| step | s |\n|---|--:|")
    for name, step in steps.items():
        began = time.process_time()
        step(mapping, he, ihc)
        print(f"| {name} | {time.process_time() - began:.1f} |")


COMMANDS = {
    "pairs": pairs,
    "slides": slides,
    "variants": variants,
    "phantoms": phantoms,
    "false": false_pairs,
}


def table(rows: list[Row]) -> str:
    head = (
        "| pair | kind | median % | p90 % | max % | median µm | p90 µm "
        "| stated p90 µm | covered | min J | s | review |\n"
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n"
    )
    return head + "\n".join(
        f"| {row.name} | {row.kind} | {row.median_percent:.2f} | {row.p90_percent:.2f} "
        f"| {row.max_percent:.2f} | {row.median_um:.1f} | {row.p90_um:.1f} "
        f"| {row.stated_p90_um:.1f} | {row.covered:.2f} "
        f"| {row.min_jacobian:.2f} | {row.seconds:.1f} | {'yes' if row.needs_review else ''} |"
        for row in rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=[*COMMANDS, "matching"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.command == "matching":
        matching(options)
        return
    rows = []
    for row in COMMANDS[options.command](options):
        rows.append(row)
        print(f"{row.name}: {row.median_percent:.2f} % {row.needs_review} {row.reason}", file=sys.stderr)
        if options.json:
            options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(table(rows))
    good = [row for row in rows if row.median_percent < 2]
    print(
        f"\n{len(good)} of {len(rows)} below 2 %, {sum(row.median_percent < 1 for row in rows)} below 1 %; "
        f"flagged: {sum(row.needs_review for row in good)} of these, "
        f"{sum(row.needs_review for row in rows if row not in good)} of the other {len(rows) - len(good)}; "
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    )


if __name__ == "__main__":
    main()
