"""How often a wrong pixel size is noticed, and a true one doubted, over all real pictures and a few phantoms.

    python scripts/measure_sizes.py [--only cores fields proxies scanners phantoms] [--data ../shared/data]

Only the rulers are asked, nothing is scored. Cores, fields and slides of other scanners are stated at 0.7, 1
and 1.4 times their size, the others at their own. The nuclei of the ruler come from five of the cores
(scripts/fit_ruler.py judges each by the others); all the rest had no part in them. About ten minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from real_pictures import CORE_UM, Picture, cores, fields
from real_proxies import proxies
from validate import cases

from napari_her2.events import drain
from napari_her2.phantom import PhantomSpec, render_phantom
from napari_her2.slides import open_slide
from napari_her2.tissue import check_size, find_tissue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_her2.tissue import SizeCheck

ROOT = Path(__file__).resolve().parent.parent
WRONG = (0.7, 1.0, 1.4)
SCANNERS = (
    ("slides/CMU-1-Small-Region.svs", 0.499),
    ("slides/HE_example-0.50um.tif", 0.5),
    ("slides/tcga-cr-7395-no-mpp.svs", 0.25),
    ("registration/her2st-serial-he/C2.jpg", 0.686),
    ("registration/her2st-serial-he/C3.jpg", 0.686),
)
"""H&E of four other scanners; the size of the third is assumed, of the last two known from their spots."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", nargs="+", choices=list(GROUPS), default=list(GROUPS))
    options = parser.parse_args()
    print("| pictures | stated at | number | with a ruler | doubted | otherwise |\n|---|--:|--:|--:|--:|---|")
    for group in options.only:
        with tempfile.TemporaryDirectory() as work:
            pictures = GROUPS[group](options.data, Path(work))
            for factor in (1.0,) if group in ("proxies", "phantoms") else WRONG:
                print(row(group, factor, pictures), flush=True)


def row(group: str, factor: float, pictures: Sequence[Picture]) -> str:
    """One line: how many have a ruler, how many are doubted, which of those with a ruler are misjudged."""
    checks = [asked(picture, factor) for picture in pictures]
    ruled = sum(check.ruler != "none" for check in checks)
    wrong = [
        picture.name
        for picture, check in zip(pictures, checks, strict=True)
        if check.ruler != "none" and check.doubtful != (factor != 1)
    ]
    doubted = sum(check.doubtful for check in checks)
    return f"| {group} | x {factor:g} | {len(checks)} | {ruled} | {doubted} | {', '.join(wrong)} |"


def asked(picture: Picture, factor: float) -> SizeCheck:
    true_um = picture.um_per_px or CORE_UM
    with open_slide(picture.path, um_per_px=true_um * factor) as slide:
        check = check_size(slide, find_tissue(slide))
    print(f"{picture.name} x {factor:g}: {check}", file=sys.stderr, flush=True)
    return check


def scanners(data: Path, _: Path) -> list[Picture]:
    there = [(data / name, um) for name, um in SCANNERS if (data / name).exists()]
    return [Picture(name=path.name, path=path, group="scanners", um_per_px=um) for path, um in there]


def phantoms(_: Path, work: Path) -> list[Picture]:
    """Draw small ones after every third case of scripts/validate.py, and the one with pen, fold and blur."""
    made = []
    for number, case in enumerate(cases()):
        if number % 3 == 0 or "pen" in case.name:
            wishes = {name: value for name, value in case.wishes.items() if name != "control"}
            folder = work / str(number)
            drain(render_phantom(PhantomSpec(**{"size_um": (500.0, 500.0), **wishes}), folder))
            path = folder / "ihc.ome.tif"
            made.append(Picture(name=case.name, path=path, group="phantoms", um_per_px=0.25))
    return made


GROUPS = {
    "cores": lambda data, _: cores(data),
    "fields": fields,
    "proxies": proxies,
    "scanners": scanners,
    "phantoms": phantoms,
}

if __name__ == "__main__":
    main()
