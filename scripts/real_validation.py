"""Every figure about real images in docs/real_images.md, through the public pipeline.

    python scripts/real_validation.py [--only cores fields …] [--data ../shared/data] [--engine NAME]
                                      [--stress] [--json FILE] [--overlays FOLDER]

cores      eight microarray cores by the gastric rule, truth: the patient's score
fields     450 µm squares cut from them by a seeded rule, truth: the core's (weak)
mosaics    a 3+ field above weaker ones: never silently lower
proxies    fields rescaled, re-compressed, on other whites, with a camera's tone curve
sober      other real IHC and H&E: no truth, the program must stay sober
marks      cells marked by eye on the cores; cut points carried from cores to marked cells and back
registration  pairs of H&E and IHC with landmarks by experts
sizes      cores at 0.7 and 1.4 times their pixel size: noticed or not

Nothing is kept between runs. Images that are not there are named on stderr and left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from real_measures import marks, registration, sizes
from real_overlays import draw_overlay
from real_pictures import Picture, cores, fields, mosaics, sober
from real_proxies import proxies
from scipy.stats import beta

from napari_her2.case import read_case
from napari_her2.errors import Her2Error
from napari_her2.events import drain
from napari_her2.pipeline import CaseRequest, Wishes, score_case
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
ALWAYS = ("no_tumour_gate", "tumour_unconfirmed")
"""Flags of every picture without H&E; they warn of nothing in particular."""
CLASSES = ("3+", "2+", "unusual", "1+", "0")
REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the program says about one picture."""

    picture: Picture
    score: str
    cells: int
    percent: dict[str, float]
    flags: tuple[str, ...]
    agreement: str
    others: dict[str, str]
    flips: tuple[str, ...]
    stressed: bool
    reason: str
    seconds: float

    @property
    def counted(self) -> bool:
        """Whether it enters figures of accuracy."""
        return bool(self.picture.truth) and not self.picture.apart

    @property
    def silent(self) -> bool:
        """Whether a score stands and nothing warns: no flag of its own, and no scorer that disagrees."""
        return self.score in SCORES and not self.flags and self.agreement != "disagree"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=[*GROUPS, *MEASURES], default=[*GROUPS, *MEASURES])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--engine", help="classical, transformer, …; the program's default where left out")
    parser.add_argument("--stress", action="store_true", help="test every call under changes of the picture")
    parser.add_argument("--json", type=Path, help="write all rows there, too")
    parser.add_argument("--overlays", type=Path, help="write tissue and cells on each picture as PNG there")
    options = parser.parse_args()
    options.cells = {}  # of cores, so that marks need not score them again
    kept: list[dict[str, Any]] = []
    for group in options.only:
        if group in MEASURES:
            print(f"\n## {group.capitalize()}\n", flush=True)
            MEASURES[group](options)
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows = measured(group, options, Path(folder))
        print(f"\n## {group.capitalize()}\n\n{table(rows)}\n\n{figures(rows)}", flush=True)
        kept += [plain(row) for row in rows]
        if options.json:
            options.json.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def measured(group: str, options: argparse.Namespace, work: Path) -> list[Row]:
    """Score the pictures of a group."""
    pictures = GROUPS[group](options.data, work)
    if not pictures:
        print(f"{group}: no pictures under {options.data.name}", file=sys.stderr)
    rows = []
    for picture in pictures:
        row, case = scored(picture, options, work)
        if group == "cores" and row.cells:
            options.cells[picture.path.name] = read_case(case).cells()
        if options.overlays is not None:
            draw_overlay(picture, case, options.overlays)
        rows.append(row)
        print(f"{group}: {row.picture.name}: {row.score} ({row.seconds:.1f} s)", file=sys.stderr, flush=True)
    return rows


def scored(picture: Picture, options: argparse.Namespace, work: Path) -> tuple[Row, Path]:
    """Score one picture as the command line would."""
    case = Path(tempfile.mkdtemp(dir=work))
    wishes = Wishes(
        um_per_px_ihc=picture.um_per_px, rule=picture.rule, engine=options.engine, stress=options.stress
    )
    request = CaseRequest(ihc=picture.path, out=case, options=wishes, preferences=Wishes())
    began = perf_counter()
    try:
        report = drain(score_case(request)).to_dict()
    except Her2Error as error:
        return _refused(picture, str(error), perf_counter() - began), case
    call, checked = report["call"], report["call"].get("agreement") or {}
    scorers = {scorer["name"]: scorer["score"] or "none" for scorer in checked.get("scorers", ())}
    row = Row(
        picture=picture,
        score=call["score"] or "not scorable",
        cells=report["cells"]["evaluable"],
        percent=report["percent"],
        flags=tuple(flag for flag in call["flags"] if flag not in ALWAYS),
        agreement=checked.get("state", "not_checked"),
        others={name: score for name, score in scorers.items() if name != "cells"},
        flips=tuple(trial["what"] for trial in report.get("stress") or () if trial["score"] != call["score"]),
        stressed=bool(report.get("stress")),
        reason=call["reason"],
        seconds=perf_counter() - began,
    )
    return row, case


def _refused(picture: Picture, why: str, seconds: float) -> Row:
    return Row(
        picture=picture, score=REFUSED, cells=0, percent={}, flags=(), agreement="not_checked", others={},
        flips=(), stressed=False, reason=why, seconds=seconds,
    )  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    """One line for each picture."""
    head = (
        "| image | what | µm/px | truth | call | cells | 3+/2+/unusual/1+/0, % | scorers "
        "| flags | flips in the stress test |\n|---|---|--:|---|---|--:|---|---|---|---|"
    )
    return "\n".join([head, *(line(row) for row in rows)])


def line(row: Row) -> str:
    picture = row.picture
    shares = " / ".join(f"{row.percent[name]:.0f}" for name in CLASSES) if row.percent else ""
    others = ", ".join(f"{name} {score}" for name, score in row.others.items())
    scorers = row.agreement.replace("_", " ") + (f" ({others})" if others else "")
    size = f"{picture.um_per_px:g}" if picture.um_per_px else "stated"
    truth = f"({picture.truth})" if picture.apart else picture.truth
    what = "; ".join(part for part in (picture.what, picture.apart) if part)
    cells = [
        picture.name, what, size, truth, right_or_bold(row), str(row.cells), shares, scorers,
        ", ".join(row.flags), ", ".join(row.flips),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def right_or_bold(row: Row) -> str:
    wrong = row.counted and row.score != row.picture.truth
    return f"**{row.score}**" if wrong else row.score


def figures(rows: Sequence[Row]) -> str:
    """Exact, within one class, kappa, silent errors, flags on right and on wrong calls."""
    counted = [row for row in rows if row.counted]
    if not counted:
        return f"{len(rows)} pictures, no truth."
    pairs = [(row.picture.truth, row.score) for row in counted]
    steps = [_steps(truth, score) for truth, score in pairs]
    right = [row for row in counted if row.score == row.picture.truth]
    wrong = [row for row in counted if row.score != row.picture.truth]
    silent = [f"{row.picture.name} ({row.picture.truth} called {row.score})" for row in wrong if row.silent]
    lines = [
        f"{len(counted)} with truth: {len(right)} exact, {sum(s <= 1 for s in steps)} within one class, "
        f"quadratic kappa {kappa(pairs):.2f}{interval(counted)} (no answer counts as farthest).",
        f"Wrong and silent (no flag, no scorer that disagrees): {len(silent)}"
        + (f": {'; '.join(silent)}." if silent else "."),
        f"Scorers disagree on {_share(right, 'disagree')} right and {_share(wrong, 'disagree')} wrong calls.",
        *_agreeing(right, wrong),
        *_flips(right, wrong),
        *_flag_rates(right, wrong),
    ]
    return "\n".join(f"- {text}" for text in lines)


def _steps(truth: str, score: str) -> int:
    """Classes between truth and call; no answer lies farthest."""
    t = SCORES.index(truth)  # type: ignore[arg-type]
    return abs(SCORES.index(score) - t) if score in SCORES else max(t, 3 - t)  # type: ignore[arg-type]


def _share(rows: Sequence[Row], state: str) -> str:
    return f"{sum(row.agreement == state for row in rows)} of {len(rows)}"


def _agreeing(right: Sequence[Row], wrong: Sequence[Row]) -> list[str]:
    """Calls that the other scorers confirm although they are wrong, with an upper 95 % bound."""
    sure, missed = (sum(row.agreement == "agree" for row in rows) for rows in (right, wrong))
    if not sure + missed:
        return []
    bound = float(beta.ppf(0.95, missed + 1, sure)) if sure else 1.0
    return [
        f"Agreed and wrong: {missed} of {sure + missed} agreed calls ({100 * bound:.0f} % at most, 95 %, "
        "as if pictures were independent)."
    ]


def _flips(right: Sequence[Row], wrong: Sequence[Row]) -> list[str]:
    tested = [[row for row in rows if row.stressed] for rows in (right, wrong)]
    if not any(tested):
        return []
    on = [f"{sum(bool(row.flips) for row in rows)} of {len(rows)}" for rows in tested]
    return [f"The stress test flips {on[0]} right and {on[1]} wrong calls."]


def _flag_rates(right: Sequence[Row], wrong: Sequence[Row]) -> list[str]:
    seen = Counter(flag for row in (*right, *wrong) for flag in row.flags)
    said = []
    for flag in sorted(seen):
        on = [sum(flag in row.flags for row in rows) for rows in (right, wrong)]
        said.append(f"`{flag}` on {on[0]} of {len(right)} right and {on[1]} of {len(wrong)} wrong calls.")
    return said


def kappa(pairs: Sequence[tuple[str, str]]) -> float:
    """Quadratic-weighted kappa of truth and call; a call without a score counts as the farthest one."""
    truth = [SCORES.index(t) for t, _ in pairs]  # type: ignore[arg-type]
    call = [
        SCORES.index(s) if s in SCORES else (0 if t >= 2 else 3)  # type: ignore[arg-type]
        for t, (_, s) in zip(truth, pairs, strict=True)
    ]
    seen = sum((t - c) ** 2 for t, c in zip(truth, call, strict=True)) / len(pairs)
    chance = sum((t - c) ** 2 for t in truth for c in call) / len(pairs) ** 2
    return 1 - seen / chance if chance else float("nan")


def interval(rows: Sequence[Row], draws: int = 1000) -> str:
    """95 % of the kappas of drawn cores, each with all its pictures."""
    of_core: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        of_core.setdefault(row.picture.name[:6], []).append((row.picture.truth, row.score))
    rng, groups = np.random.default_rng(0), list(of_core.values())
    drawn = [
        kappa([pair for k in rng.integers(len(groups), size=len(groups)) for pair in groups[k]])
        for _ in range(draws)
    ]
    known = [value for value in drawn if not np.isnan(value)]
    if len(groups) < 3 or not known:
        return ""
    low, high = np.percentile(known, (2.5, 97.5))
    return f" ({low:.2f} to {high:.2f} by cores)"


def plain(row: Row) -> dict[str, Any]:
    values = asdict(row)
    values["picture"]["path"] = row.picture.path.name
    return values


GROUPS = {
    "cores": lambda data, _: cores(data),
    "fields": fields,
    "mosaics": mosaics,
    "proxies": proxies,
    "sober": sober,
}
MEASURES = {"marks": marks, "registration": registration, "sizes": sizes}

if __name__ == "__main__":
    main()
