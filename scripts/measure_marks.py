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
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from cell_marks import (
    FIGURES,
    MATCH_UM,
    Crop,
    Judged,
    Marks,
    confusion,
    intervals,
    judge,
    of_file,
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

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    marked = cells_of_cores(options.data, options.engine, options.only)
    report(*summed(marked), options.json)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarkedCore:
    """A core with its marked crops, the marks on them, and the cells that the program finds."""

    file: str
    crops: tuple[Crop, ...]
    marks: Marks
    cells: CellTable


def cells_of_cores(
    data: Path,
    engine: str,
    only: Sequence[str] | None = None,
    known: Mapping[str, CellTable] | None = None,
) -> list[MarkedCore]:
    """Score the cores that have marks; ``only`` names some by the first six letters.

    What stands in ``known``, by the file's name, is not scored again.
    """
    crops, marks = read_crops(MARKED / "cell_crops.csv"), read_marks(MARKED / "cell_marks.csv")
    found = []
    for file in sorted({crop.file for crop in crops if not only or crop.file[:6] in only}):
        if not (data / CORES / file).exists():
            print(f"{file[:6]}: not under {data.name}", file=sys.stderr)
            continue
        own, said = of_file(file, crops, marks)
        cells = (known or {}).get(file)
        if cells is None:
            cells = found_on(data / CORES / file, engine)
        found.append(MarkedCore(file=file, crops=own, marks=said, cells=cells))
    return found


def summed(marked: Sequence[MarkedCore]) -> tuple[dict[str, Judged], Counter[str]]:
    """Judge each core's cells, and count why epithelium that was found does not count."""
    parts: dict[str, Judged] = {}
    reasons: Counter[str] = Counter()
    for core in marked:
        own = {crop.name: core.marks.select(core.marks.crop == crop.name) for crop in core.crops}
        judged = [judge(crop, own[crop.name], core.cells, CORE_UM) for crop in core.crops]
        parts[core.file[:6]] = Judged.concat(judged)
        for crop in core.crops:
            reasons += why_dropped(own[crop.name], core.cells)
    return parts, reasons


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
