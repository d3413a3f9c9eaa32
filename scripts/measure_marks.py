"""What the program makes of the cells that were marked by eye on the cores, see docs/real_marks.md.

    python scripts/measure_marks.py [--only 3_a1f1 …] [--engine classical] [--data FOLDER] [--json FILE]

Each core is scored as the command line would (0.25 µm/px, gastric rule) and its cell table compared with the
marks. Intervals draw whole crops. A core that is refused has no cells. Takes about two minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter

import numpy as np
from cell_marks import (
    FIGURES,
    MATCH_UM,
    Judged,
    Marks,
    confusion,
    intervals,
    judge,
    pair,
    read_crops,
    read_marks,
)
from real_pictures import CORE_RULE, CORE_UM, CORES

from napari_her2.case import read_case
from napari_her2.cells import CellTable
from napari_her2.errors import Her2Error
from napari_her2.events import drain
from napari_her2.pipeline import CaseRequest, Wishes, score_case
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS

ROOT = Path(__file__).resolve().parent.parent
MARKED = ROOT / "tests" / "cases" / "real"
STRENGTHS = ("none", "faint", "moderate", "intense")


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--engine", default="classical")
    parser.add_argument("--only", nargs="+", help="cores, by the first six letters of their names")
    parser.add_argument("--json", type=Path, help="write all figures there, too")
    options = parser.parse_args()
    crops, marks = read_crops(MARKED / "cell_crops.csv"), read_marks(MARKED / "cell_marks.csv")
    parts: dict[str, Judged] = {}
    reasons: Counter[str] = Counter()
    for file in sorted({crop.file for crop in crops if not options.only or crop.file[:6] in options.only}):
        cells = found_on(options.data / CORES / file, options.engine)
        of_file = [crop for crop in crops if crop.file == file]
        own = {crop.name: marks.select(marks.crop == crop.name) for crop in of_file}
        parts[file[:6]] = Judged.concat([judge(crop, own[crop.name], cells, CORE_UM) for crop in of_file])
        for crop in of_file:
            reasons += why_dropped(own[crop.name], cells)
    report(parts, reasons, options.json)


def found_on(path: Path, engine: str) -> CellTable:
    """Score a core and return its cells."""
    began = perf_counter()
    wishes = Wishes(um_per_px_ihc=CORE_UM, rule=CORE_RULE, engine=engine)
    with tempfile.TemporaryDirectory() as folder:
        request = CaseRequest(ihc=path, out=Path(folder) / "case", options=wishes, preferences=Wishes())
        try:
            drain(score_case(request))
            cells = read_case(request.out).cells()
        except Her2Error as error:
            print(f"{path.name[:6]}: refused: {error}", file=sys.stderr, flush=True)
            return CellTable.empty()
    print(
        f"{path.name[:6]}: {len(cells)} cells ({perf_counter() - began:.1f} s)", file=sys.stderr, flush=True
    )
    return cells


def why_dropped(marks: Marks, cells: CellTable) -> Counter[str]:
    """Why cells that match sure epithelium do not count."""
    asked = marks.points_px[marks.epithelium & marks.sure]
    _, index = pair(asked, cells.points_px, MATCH_UM / CORE_UM)
    chosen = index[~cells.evaluable[index]]
    return Counter(EXCLUDED_REASONS[code] or "not in tumour" for code in cells.excluded[chosen])


def report(parts: dict[str, Judged], reasons: Counter[str], file: Path | None) -> None:
    """Print tables; write them as JSON where ``file`` is given."""
    every = Judged.concat(list(parts.values()))
    pooled = intervals(every)
    each = {core: {name: figure(rows) for name, figure in FIGURES.items()} for core, rows in parts.items()}
    print(f"| | pooled [95 % by crops] | {' | '.join(parts)} |\n|---|---|{'--:|' * len(parts)}")
    numbers = [f"{int(rows.real.sum())}, {int(rows.epithelium.sum())}" for rows in (every, *parts.values())]
    print(f"| marks counted, of which epithelium | {' | '.join(numbers)} |")
    for name, (value, low, high) in pooled.items():
        cores = " | ".join(shown(each[core][name]) for core in parts)
        print(f"| {name} | {shown(value)} [{shown(low)}, {shown(high)}] | {cores} |")
    print(f"\n| by eye | missed | {' | '.join(CELL_CLASSES)} |\n|---|{'--:|' * 6}")
    for strength, counts in confusion(every):
        print(f"| {STRENGTHS[strength]} | {' | '.join(map(str, counts))} |")
    print(f"\nFound epithelium that does not count: {dict(reasons)}; chance of epithelium: {kind(every)}.")
    lattice = every.select(every.lattice)
    print(f"Cells of the lattice: {len(lattice)}, of which on marks: {int(lattice.real.sum())}.")
    if file is not None:
        kept = {
            "pooled": pooled,
            "cores": each,
            "confusion": dict(confusion(every)),
            "dropped": dict(reasons),
        }
        file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def shown(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"


def kind(rows: Judged) -> str:
    """Whether the program states a probability of epithelium or only a status."""
    return "status only" if np.isin(rows.chance[rows.found], (0.0, 1.0)).all() else "a probability"


if __name__ == "__main__":
    main()
