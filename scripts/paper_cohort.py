"""The paper's cohort experiment on phantoms: 13 cases through the whole pipeline, as the paper's Table 3.

    OMP_NUM_THREADS=1 python scripts/paper_cohort.py [--engine transformer] [--cases 13]

The place of the pathologists' score is taken by the truth of the phantoms. Nothing is drawn at random.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from validate import mix, score

from napari_her2.events import drain
from napari_her2.phantom import PhantomSpec, render_phantom

SIZE_UM = (1200.0, 1000.0)
SCORES = ("0", "1+", "2+", "3+")
HEAD = (
    "| case | tumour patches on H&E, n (%) | matched on IHC, n | coverage 0 / 1+ / 2+ / 3+, % "
    "| paper's rule | guideline | HER2 | truth | agree: paper / guideline |\n"
    "|---|--:|--:|---|---|---|---|---|---|"
)


def wishes() -> list[dict[str, Any]]:
    """Thirteen cases: all scores, pure and mixed, turned and mirrored, each with a stain of its own."""
    mixes = [
        mix(one=4), mix(one=2), mix(one=8),
        mix(one=40), mix(one=25, two=3), mix(one=60, two=6),
        mix(two=35, one=30), mix(two=18, one=40), mix(two=55, three=4, one=20),
        mix(three=70, two=20, one=5), mix(three=30, two=40, one=15), mix(three=55, two=25),
        mix(three=18, two=30),
    ]  # fmt: skip
    return [
        {
            "mix": one,
            "seed": 300 + k,
            "stain_seed": 40 + k,
            "rotate_deg": (37 * k) % 360,
            "mirror": k % 4 == 3,
            "in_situ": 0.15 if k % 3 == 1 else 0.0,
            "missing": 0.1 if k % 5 == 2 else 0.0,
        }
        for k, one in enumerate(mixes)
    ]


def row(number: int, truth: str, report: dict[str, Any]) -> str:
    """One case as the paper's table has it."""
    he, call, paper = report["patches"]["he"], report["call"]["score"], report["paper"]["score"]
    share = 100 * he["tumour"] / max(he["n"], 1)
    coverage = " / ".join(f"{report['coverage'].get(name, 0):.1f}" for name in SCORES)
    agree = " / ".join("yes" if one == truth else "no" for one in (paper, call))
    matched = report["patches"]["matched"]
    return (
        f"| {number} | {he['tumour']} ({share:.0f}) | {matched} | {coverage} | {paper} | {call} "
        f"| {report['her2_status']} | {truth} | {agree} |"
    )


def main() -> None:
    """Draw, score and print case by case, then how often the two rules agree with the truth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="transformer", choices=("classical", "transformer"))
    parser.add_argument("--cases", type=int, default=13)
    given = parser.parse_args()
    print(HEAD, flush=True)
    right = {"paper": 0, "guideline": 0}
    chosen = wishes()[: given.cases]
    for number, wish in enumerate(chosen, start=1):
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work) / "phantom"
            drain(render_phantom(PhantomSpec(size_um=SIZE_UM, **wish), folder))
            truth = json.loads((folder / "truth.json").read_text())["score"]
            report = score(folder, Path(work) / "case", he=True, engine=given.engine)
        right["paper"] += report["paper"]["score"] == truth
        right["guideline"] += report["call"]["score"] == truth
        print(row(number, truth, report), flush=True)
    told = ", ".join(f"{name} {n} of {len(chosen)}" for name, n in right.items())
    print(f"\nAgreement with the truth: {told}.")


if __name__ == "__main__":
    main()
