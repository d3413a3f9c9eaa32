"""Forty phantoms with known truth through the whole pipeline; writes docs/validation.md.

Run from the checkout: ``.venv/bin/python scripts/validate.py``. Everything follows from the table of
cases below; nothing is drawn at random.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = ("3+", "2+", "unusual", "1+", "0")
SIZE_UM = (900.0, 800.0)
MIXED = 3  # cases are run in strides, so that the page is telling before all are done


@dataclass(frozen=True)
class Case:
    """One phantom: what is asked of it, and whether its truth lies at a cut-off."""

    name: str
    wishes: dict[str, Any]
    near: bool = False


@dataclass
class Result:
    """What came out of one case."""

    case: Case
    truth: str
    percent: dict[str, float]
    pair: dict[str, Any]
    alone: dict[str, Any]
    mapping_um: list[float] = field(default_factory=list)
    coverage: dict[str, float] = field(default_factory=dict)
    engines: dict[str, dict[str, Any]] = field(default_factory=dict)


def mix(**percent: float) -> dict[str, float]:
    """Percent by class; keys with letters for the classes, the rest is 0."""
    names = {"three": "3+", "two": "2+", "unusual": "unusual", "one": "1+"}
    made = {names[key]: value for key, value in percent.items()}
    return {**made, "0": round(100 - sum(made.values()), 6)}


def cases() -> list[Case]:
    """All scores with rotations, mirrors and stains; then mixes at the cut-offs; then disturbances."""
    made = []
    turns = (0, 17, 90, 133, 180, 251)
    for row, score in enumerate(("0", "1+", "2+", "3+")):
        for k, turn in enumerate(turns):
            wishes = {
                "score": score,
                "seed": 100 + 10 * row + k,
                "stain_seed": 7 * k + row,
                "rotate_deg": turn,
            }
            made.append(Case(f"{score}, turned {turn}°", {**wishes, "mirror": k % 2 == 1}))
    for k, value in enumerate((9, 10, 10.1, 11)):
        made.append(
            Case(f"3+ in {value} %", {"mix": mix(three=value, two=4, one=20), "seed": 200 + k}, near=True)
        )
        made.append(Case(f"2+ in {value} %", {"mix": mix(two=value, one=25), "seed": 210 + k}, near=True))
        made.append(Case(f"1+ in {value} %", {"mix": mix(one=value), "seed": 220 + k}, near=True))
    made += [
        Case("0 beside a 3+ control", {"score": "0", "seed": 230, "control": True}),
        Case(
            "2+ with pen, fold and blur",
            {"score": "2+", "seed": 231, "pen": True, "fold": True, "blur": True},
        ),
        Case("3+, a quarter missing", {"score": "3+", "seed": 232, "missing": 0.25, "rotate_deg": 40}),
        Case("1+, 20 % in situ, shrunk", {"score": "1+", "seed": 233, "in_situ": 0.2, "shrink": 0.05}),
    ]
    return made


def run(case: Case, folder: Path, engines: tuple[str, ...] = ("classical",)) -> Result:
    """Draw one phantom, score it as a pair by each engine and, by the first, as IHC alone."""
    from napari_her2.events import drain
    from napari_her2.phantom import PhantomSpec, render_phantom

    drain(render_phantom(PhantomSpec(**{"size_um": SIZE_UM, **case.wishes}), folder))
    truth = json.loads((folder / "truth.json").read_text())
    made = {name: score(folder, folder / place(name), he=True, engine=name) for name in engines}
    pair = made[engines[0]]
    # On the IHC alone nothing tells a control from the patient's tissue: a person names it.
    alone = score(
        folder,
        folder / "alone",
        he=False,
        pieces=roles(folder) if case.wishes.get("control") else None,
        engine=engines[0],
    )
    errors = mapping_errors(folder / place(engines[0]), folder / "truth_landmarks.csv")
    return Result(case, truth["score"], truth["percent"], pair, alone, errors, true_coverage(folder), made)


def place(engine: str) -> str:
    """Name of the case's folder."""
    return "pair" if engine == "classical" else f"pair-{engine}"


def true_coverage(folder: Path) -> dict[str, float]:
    """Percent of the area of true tumour cells per score; unusual counts as 2+."""
    from napari_her2.store import read_multiscale
    from napari_her2.vocabulary import RASTER_LABELS

    labels = np.asarray(read_multiscale(folder / "truth_segmentation.zarr").levels[0])
    n = np.bincount(labels.ravel(), minlength=256)
    area = {name: int(n[RASTER_LABELS[name]]) for name in ("3+", "2+", "1+", "0")}
    area["2+"] += int(n[RASTER_LABELS["unusual"]])
    return {name: 100 * value / max(sum(area.values()), 1) for name, value in area.items()}


def roles(folder: Path) -> dict[str, str]:
    """Role of each piece of the IHC that the truth knows, by the label that the program gives it."""
    from napari_her2.slides import open_slide
    from napari_her2.tissue import find_tissue

    known = json.loads((folder / "truth.json").read_text())["ihc_pieces"]
    with open_slide(folder / "ihc.ome.tif") as slide:
        pieces = find_tissue(slide).piece_list
    found = {}
    for piece in pieces:
        row, col = piece.box.centre
        for truth in known:
            x, y, width, height = truth["box_xywh"]
            if x <= col < x + width and y <= row < y + height:
                expected = f" {truth['expected_score']}" if truth["expected_score"] else ""
                found[str(piece.label)] = f"{truth['role']}{expected}"
    return found


def score(
    folder: Path, out: Path, *, he: bool, pieces: dict[str, str] | None = None, engine: str = "classical"
) -> dict[str, Any]:
    """Score a rendered phantom; the report as plain values."""
    from napari_her2.events import drain
    from napari_her2.pipeline import CaseRequest, Wishes, score_case

    request = CaseRequest(
        ihc=folder / "ihc.ome.tif",
        he=folder / "he.ome.tif" if he else None,
        out=out,
        recipe=Wishes(pieces=pieces, engine=engine),
        preferences=Wishes(),
    )
    return drain(score_case(request)).to_dict()


def mapping_errors(case: Path, landmarks: Path) -> list[float]:
    """Distance in µm of each true landmark to where the mapping carries it."""
    from napari_her2.mapping import load_mapping, read_landmarks

    mapping = load_mapping(case / "mapping.json")
    marks = read_landmarks(landmarks)
    away = np.linalg.norm(mapping.he_to_ihc(marks.he_px) - marks.ihc_px, axis=1)
    return [float(value) * mapping.ihc.um_per_px for value in away]


def differences(result: Result, report: dict[str, Any]) -> list[float]:
    """Measured minus true percent of each class."""
    return [report["percent"][name] - result.percent[name] for name in CLASSES]


def line(result: Result) -> str:
    """One row of the table."""
    cells = [result.case.name, str(result.case.wishes["seed"]), result.truth]
    for report in (result.pair, result.alone):
        call = report["call"]
        mark = "" if call["score"] == result.truth else " ✗"
        edge = ", borderline" if call["borderline"] else ""
        worst = max(differences(result, report), key=abs)
        cells += [f"{call['score']}{mark}{edge}", f"{worst:+.1f}", str(report["cells"]["evaluable"])]
    cells += [f"{np.median(result.mapping_um):.1f}", f"{np.percentile(result.mapping_um, 90):.1f}"]
    cells += ["yes" if result.pair["mapping"]["needs_review"] else ""]
    return f"| {' | '.join(cells)} |"


def summary(results: list[Result]) -> str:
    """The figures that the whole is judged by."""
    lines = [
        "| | cases | score exact | mean class error | largest class error | within 3 points |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    groups = [("all", results), ("away from the cut-offs", [r for r in results if not r.case.near])]
    groups.append(("at the cut-offs", [r for r in results if r.case.near]))
    for mode in ("pair", "alone"):
        for name, group in ((name, group) for name, group in groups if group):
            reports = [(r, getattr(r, mode)) for r in group]
            exact = sum(report["call"]["score"] == r.truth for r, report in reports)
            away = np.abs([differences(r, report) for r, report in reports])
            within = int((away.max(axis=1) <= 3).sum())
            what = f"{'pair' if mode == 'pair' else 'IHC alone'}, {name}"
            share = f"{exact} ({100 * exact / len(group):.0f} %)"
            lines.append(
                f"| {what} | {len(group)} | {share} | {away.mean():.2f} | {away.max():.1f} | {within} |"
            )
    return "\n".join(lines)


def flagged(results: list[Result]) -> str:
    """Whether wrong calls said that they might be."""
    wrong = [report for r in results for report in (r.pair, r.alone) if report["call"]["score"] != r.truth]
    told = sum(report["call"]["borderline"] for report in wrong)
    return f"{len(wrong)} of {2 * len(results)} calls differ from the truth; {told} of these are borderline."


def aims(results: list[Result]) -> str:
    """What was asked for, and whether it was reached."""
    parts = []
    for mode, name in (("pair", "pairs"), ("alone", "IHC alone")):
        reports = [(r, getattr(r, mode)) for r in results]
        exact = sum(report["call"]["score"] == r.truth for r, report in reports)
        within = sum(max(map(abs, differences(*both))) <= 3 for both in reports)
        met = "reached" if exact >= 0.95 * len(results) else "**not reached**"
        held = "reached" if within == len(results) else "**not reached**"
        parts.append(f"{name}: {exact} of {len(results)} exact ({met}), {within} with all classes ({held})")
    return f"Aim: the score exact in at least 95 %, every class within 3 points. {'; '.join(parts)}."


def by_engine(results: list[Result]) -> str:
    """A table of each engine that scored the pairs, and the two side by side."""
    names = list(results[0].engines)
    if names == ["classical"]:
        return ""
    parts = ["\n## Engines on the same pairs\n", compared(results, names)]
    for name in names:
        head = (
            "| case | truth | call | paper | pixels | worst class | worst coverage | cells agree with pixels "
            "| flags |\n|---|---|---|---|---|--:|--:|--:|---|"
        )
        rows = "\n".join(engine_line(result, result.engines[name]) for result in results)
        parts.append(f"\n### {name}\n\n{head}\n{rows}\n")
    return "\n".join(parts)


def compared(results: list[Result], names: list[str]) -> str:
    """Calls that are right, and how far classes and coverage lie from the truth, by engine."""
    lines = [
        "| engine | cases | score exact | mean class error | largest | mean coverage error | largest "
        "| coverage within 3 points |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name in names:
        pairs = [(result, result.engines[name]) for result in results]
        exact = sum(report["call"]["score"] == result.truth for result, report in pairs)
        away = np.abs([differences(*pair) for pair in pairs])
        area = np.abs([coverage_differences(*pair) for pair in pairs])
        within = int((area.max(axis=1) <= 3).sum())
        share = f"{exact} ({100 * exact / len(pairs):.0f} %)"
        figures = f"{away.mean():.2f} | {away.max():.1f} | {area.mean():.2f} | {area.max():.1f} | {within}"
        lines.append(f"| {name} | {len(pairs)} | {share} | {figures} |")
    return "\n".join(lines)


def coverage_differences(result: Result, report: dict[str, Any]) -> list[float]:
    """Measured minus true percent of the tumour cells' area, by score."""
    return [report["coverage"].get(name, 0.0) - value for name, value in result.coverage.items()]


def engine_line(result: Result, report: dict[str, Any]) -> str:
    """One row of an engine's table."""
    call, pairs = report["call"], report["agreement"]
    pixels = pairs["cells-pixels"] if pairs else {"scores": {"pixels": "-"}, "fraction_agreeing": None}
    share = pixels["fraction_agreeing"]
    flags = [f for f in call["flags"] if f in ("needs_review", "out_of_distribution", "scorers_disagree")]
    cells = [
        result.case.name,
        result.truth,
        f"{call['score']}{'' if call['score'] == result.truth else ' ✗'}",
        str((report["paper"] or {}).get("score")),
        str(pixels["scores"]["pixels"]),
        f"{max(differences(result, report), key=abs):+.1f}",
        f"{max(coverage_differences(result, report), key=abs):+.1f}",
        "-" if share is None else f"{100 * share:.0f} %",
        ", ".join(flags),
    ]
    return f"| {' | '.join(cells)} |"


def page(results: list[Result], command: str) -> str:
    """The whole document."""
    head = (
        "| case | seed | truth | pair | worst class | cells | IHC alone | worst class | cells "
        "| mapping p50 µm | p90 µm | review |\n|---|--:|---|---|--:|--:|---|--:|--:|--:|--:|---|"
    )
    errors = [value for r in results for value in r.mapping_um]
    return f"""# Validation on phantoms

Synthetic tissue with known truth, not patients: these figures say that the parts work together as meant,
nothing about accuracy on real slides. Made by

    {command}

one thread per library and process. Each phantom is {SIZE_UM[0]:g} x {SIZE_UM[1]:g} µm; the pair is
scored with its H&E (tumour area estimated, not confirmed), then the IHC again alone. The truth is the
guideline applied to the true classes of all invasive tumour cells of the IHC. "Worst class" is the largest
difference, in points, between a class's percentage and its truth. Mapping errors are measured at the true
landmarks over the whole slide, tissue or not.

{summary(results)}

{aims(results)}

{flagged(results)} A true share of 9 to 11 % lies within the engine's own error of the threshold: such cases
are decided by single cells, and what can be asked is that the call is marked borderline.

Mapping error over all landmarks: median {np.median(errors):.1f} µm, p90 {np.percentile(errors, 90):.1f} µm.

{head}
{chr(10).join(map(line, results))}

✗ the call differs from the truth; "borderline": within the 95 % interval the score could be another one.
{by_engine(results)}"""


def run_and_tidy(case: Case, keep: Path | None, engines: tuple[str, ...]) -> Result:
    """Run one case in a folder of its own, kept on request."""
    if keep is None:
        with tempfile.TemporaryDirectory() as folder:
            return run(case, Path(folder), engines)
    folder = keep / str(case.wishes["seed"])
    folder.mkdir(parents=True, exist_ok=True)
    return run(case, folder, engines)


def main() -> None:
    """Run all cases, or those whose name contains a word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/validation.md"))
    parser.add_argument("--only", default="", metavar="WORD", help="only cases whose name contains this")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep phantoms and cases there")
    parser.add_argument("--engine", choices=("classical", "transformer", "both"), default="classical")
    options = parser.parse_args()
    engines = ("classical", "transformer") if options.engine == "both" else (options.engine,)
    said = "" if options.engine == "classical" else f" --engine {options.engine}"
    command = f"OMP_NUM_THREADS=1 .venv/bin/python scripts/validate.py{said}"
    chosen = [case for case in cases() if options.only in case.name]
    mixed = [k for start in range(MIXED) for k in range(start, len(chosen), MIXED)]
    done: dict[int, Result] = {}
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        work = {pool.submit(run_and_tidy, chosen[k], options.keep, engines): k for k in mixed}
        for future in as_completed(work):
            done[work[future]] = future.result()
            print(f"{len(done)}/{len(chosen)} {line(done[work[future]])}", file=sys.stderr, flush=True)
            options.out.write_text(page([done[k] for k in sorted(done)], command), encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
