"""What L and M say about real IHC: shares of the classes, and an overlay to look at.

    python scripts/real_models.py --out FOLDER [--data ../shared/data] [--stain-model …] [--segment-model …]

The images are coarser than 0.25 µm/px, so they are enlarged; in a case they would be refused. Nobody has
stated a score for them and none is HER2: what can be judged is whether the answers are sober.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from napari_her2.models import find_model
from napari_her2.patches import Stitcher
from napari_her2.slides import open_slide
from napari_her2.vocabulary import COLOURS, SCORES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
COLONS = ("crc-ihc-8.tif", "crc-ihc-15.tif")
SIDE_PX = 1024


def pictures(data: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """FHL2 in colon glands, twice enlarged; and a square from the middle of each colon slide, as it is."""
    from skimage.data import immunohistochemistry

    yield "fhl2", enlarged(immunohistochemistry())
    for name in COLONS:
        path = data / "slides" / name
        if path.exists():
            with open_slide(path, um_per_px=0.25) as slide:
                row, col = densest(slide.thumbnail(256))
                up = slide.shape[0] / 256, slide.shape[1] / 256
                part = slide.pyramid[0][int(row * up[0]) :, int(col * up[1]) :][:512, :512]
                yield (
                    path.stem,
                    cv2.resize(np.asarray(part), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC),
                )


def enlarged(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Twice as large."""
    return np.asarray(cv2.resize(rgb, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC), np.uint8)


def densest(rgb: NDArray[np.uint8]) -> tuple[int, int]:
    """Corner, in 256ths of a side, of the square with the most tissue."""
    dark = cv2.resize(255 - rgb.min(-1), (256, 256), interpolation=cv2.INTER_AREA).astype(np.float32)
    side = 24
    sums = cv2.boxFilter(dark, -1, (side, side), anchor=(0, 0))[:-side, :-side]
    row, col = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(row), int(col)


def segmented(model: Any, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class of each pixel, stitched with half overlap."""
    size = model.spec.size_px
    starts = range(0, rgb.shape[0] - size + 1, size // 2)
    canvas = Stitcher(rgb.shape[:2], len(model.spec.classes), size)
    for row in starts:
        for col in starts:
            canvas.add(model.predict(rgb[None, row : row + size, col : col + size])[0], row, col)
    return canvas.result().argmax(0).astype(np.uint8)


def classed(model: Any, rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Class of each patch of a grid without overlap."""
    size, n = model.spec.size_px, rgb.shape[0] // model.spec.size_px
    patches = [rgb[r * size : (r + 1) * size, c * size : (c + 1) * size] for r in range(n) for c in range(n)]
    return np.asarray(model.predict(np.stack(patches)).argmax(1))


def overlay(rgb: NDArray[np.uint8], classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture beside the picture under the colours of its classes."""
    table = np.array([[int(COLOURS[name][k : k + 2], 16) for k in (1, 3, 5)] for name in SCORES], np.uint8)
    drawn = rgb.copy()
    for code, colour in enumerate(table, start=1):
        drawn[classes == code] = (0.55 * rgb[classes == code] + 0.45 * colour).astype(np.uint8)
    return np.hstack([rgb, drawn])


def main() -> None:
    """Print a row per picture, and write its overlay."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--stain-model", default="stain-tiny")
    parser.add_argument("--segment-model", default="segment-mini")
    given = parser.parse_args()
    stain, segment = (
        find_model(name).load(precision="float32") for name in (given.stain_model, given.segment_model)
    )
    given.out.mkdir(parents=True, exist_ok=True)
    print("| image | patches 0 / 1+ / 2+ / 3+ | pixels background / 0 / 1+ / 2+ / 3+, % |\n|---|---|---|")
    for name, rgb in pictures(given.data):
        patches = np.bincount(classed(stain, rgb), minlength=4)
        pixels = segmented(segment, rgb)
        shares = 100 * np.bincount(pixels.ravel(), minlength=5) / pixels.size
        told = " / ".join(str(n) for n in patches), " / ".join(f"{share:.0f}" for share in shares)
        print(f"| {name} | {told[0]} | {told[1]} |", flush=True)
        cv2.imwrite(str(given.out / f"{name}.png"), overlay(rgb, pixels)[..., ::-1])


if __name__ == "__main__":
    main()
