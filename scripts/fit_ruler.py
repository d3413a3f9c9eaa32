"""The usual nuclei of tissue/ruler.json, and whether wrong pixel sizes are noticed by other cores' nuclei.

    python scripts/fit_ruler.py [--data ../shared/data] [--write]

Each core is judged by the nuclei of the others only, at 0.7 to 1.4 times its size; ``--write`` replaces
the file by the nuclei of all five cores that have enough of them. Takes about three minutes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

import numpy as np
from real_pictures import CORE_UM, cores, read_rgb, textured

from napari_her2.slides import open_slide
from napari_her2.stain import optical_density
from napari_her2.tissue import ruler
from napari_her2.tissue.spots import find_spots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.geometry import Box

ROOT = Path(__file__).resolve().parent.parent
USED: Final = ("0_a6d0", "0_ccb6", "1_154a", "2_0123", "2_aeb2")
"""The others have few nuclei to see: hardly counterstained (1_f8a2, 2_726f), or drowned in brown (3_a1f1)."""
FACTORS: Final = (0.7, 0.8, 1.0, 1.25, 1.4)
SIDE_PX: Final = 1024
WHITE: Final = (234.0, 233.0, 242.0)


class Textured:
    """Tissue by texture, since the program's own tissue is another matter."""

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self._map = textured(rgb)

    def fraction(self, box: Box, *, counted: bool = True) -> float:
        part = self._map[box.row // 4 : box.row_stop // 4, box.col // 4 : box.col_stop // 4]
        return float(part.mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    pictures = cores(options.data)
    shares = {core.name: share_of(core.path) for core in pictures if core.name in USED}
    print("| core | " + " | ".join(f"x {factor:g}" for factor in FACTORS) + " |")
    print("|---|" + "---|" * len(FACTORS))
    for core in pictures:
        others = np.mean([share for name, share in shares.items() if name != core.name], axis=0)
        tissue = Textured(read_rgb(core.path))
        said = [judged(core.path, factor, tissue, others) for factor in FACTORS]
        print(f"| {core.name} | {' | '.join(said)} |", flush=True)
    if options.write:
        write(np.mean(list(shares.values()), axis=0))


def share_of(path: Path) -> NDArray[np.float64]:
    """Distribution of the diameters of a whole core's spots at full resolution."""
    density = optical_density(read_rgb(path), WHITE)
    dark = density[..., 0] - ruler.BROWN_SHARE * density[..., 2]
    starts = range(0, dark.shape[0] - SIDE_PX + 1, SIDE_PX)
    spots = [find_spots(dark[r : r + SIDE_PX, c : c + SIDE_PX].copy()) for r in starts for c in starts]
    return ruler.profile(spots, CORE_UM)[0]


def judged(path: Path, factor: float, tissue: Textured, usual: NDArray[np.float64]) -> str:
    """Octaves of nuclei and detail, bold where the size is doubted."""
    with (
        open_slide(path, um_per_px=CORE_UM * factor) as slide,
        patch.object(ruler, "usual_nuclei", lambda: usual),
    ):
        nuclei, detail = ruler.measure(slide, tissue)  # type: ignore[arg-type]
    said = ", ".join("-" if value is None else f"{value:+.2f}" for value in (nuclei, detail))
    return f"**{said}**" if ruler.doubt(CORE_UM * factor, nuclei, detail).doubtful else said


def write(share: NDArray[np.float64]) -> None:
    kept = {
        "what": f"share of dark round nuclei by diameter on {len(USED)} cores of her2_ihc/gea-tma",
        "log2_um_from": float(ruler.GRID[0]),
        "step": ruler.STEP,
        "share": [round(float(value), 6) for value in share],
    }
    file = ROOT / "src" / "napari_her2" / "tissue" / "ruler.json"
    file.write_text(json.dumps(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
