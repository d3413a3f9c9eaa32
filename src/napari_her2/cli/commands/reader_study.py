"""``reader-study``: several readers' scores of the same cases, compared."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from napari_her2.case import is_case, read_case
from napari_her2.cli.console import Answer
from napari_her2.errors import CaseError, UsageError
from napari_her2.exchange import Reading, read_readings, readings_of_log, write_csv
from napari_her2.learning.evaluation import compare_readers
from napari_her2.report import render_readers
from napari_her2.review import ReviewLog
from napari_her2.store import writable_folder, write_bytes, write_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_her2.learning.evaluation import ReaderStudy

__all__ = ["PROGRAM", "run"]

PROGRAM: Final = "napari-her2"
SCHEMA: Final = "napari-her2/readers/1"


def run(arguments: argparse.Namespace) -> Answer:
    """Gather readings, compare them, and write table, figures and page."""
    found = [r for source in arguments.sources for r in _readings(source)]
    if arguments.without_program:
        found = [r for r in found if r.reader != PROGRAM]
    scores, percent = _by_reader(found)
    try:
        study = compare_readers(
            scores, percent, reference=arguments.reference, draws=arguments.draws, seed=arguments.seed
        )
    except ValueError as error:
        raise UsageError(f"{error}: give readings of the same cases by several readers") from error
    out = writable_folder(arguments.out)
    data = {
        "schema": SCHEMA,
        **study.to_json(),
        "not_blind": sorted({r.reader for r in found if not r.blind}),
    }
    write_json(out / "readers.json", data)
    _write_table(out / "readers.csv", study)
    write_bytes(out / "readers.html", render_readers(data).encode("utf-8"))
    return Answer({"out": str(out), **data}, f"{_told(study)}\n{out / 'readers.html'}")


def _readings(source: Path) -> Iterator[Reading]:
    """Give the readings of a CSV, of a case, or of all cases in a folder."""
    if not source.is_dir():
        yield from _named(read_readings(source), source)
        return
    cases = [source] if is_case(source) else sorted(p for p in source.iterdir() if is_case(p))
    if not cases:
        raise CaseError(
            f"{source.name} holds no finished case: give cases, their folder, or a CSV of readings"
        )
    for folder in cases:
        yield from _of_case(folder)


def _named(readings: Sequence[Reading], source: Path) -> Iterator[Reading]:
    for reading in readings:
        if not (reading.case and reading.reader):
            raise CaseError(f"{source.name} needs the columns case and reader with a name in every line")
        yield reading


def _of_case(folder: Path) -> Iterator[Reading]:
    """Give what readers said about a case, and what the program said."""
    bundle, case = read_case(folder), folder.absolute().name
    yield from readings_of_log(ReviewLog(bundle.files.review).entries, case)
    report = bundle.report
    if report.reader is not None:
        who = report.reader
        yield Reading(case=case, reader=who.reader, score=who.score, percent={}, blind=who.blind)
    named = {str(name): value for name, value in report.percent.items() if name != "unusual"}
    yield Reading(case=case, reader=PROGRAM, score=report.call.score, percent=named)


def _by_reader(
    found: Sequence[Reading],
) -> tuple[dict[str, dict[str, str | None]], dict[str, dict[str, dict[str, float]]]]:
    scores: dict[str, dict[str, str | None]] = defaultdict(dict)
    percent: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for reading in found:
        if reading.case in scores[reading.reader]:
            raise CaseError(
                f"{reading.reader} has read {reading.case} twice: leave one reading out, or name the second "
                "as another reader"
            )
        scores[reading.reader][reading.case] = reading.score
        if reading.percent:
            percent[reading.reader][reading.case] = dict(reading.percent)
    return dict(scores), dict(percent)


def _write_table(path: Path, study: ReaderStudy) -> None:
    """One line per pair and figure; what is not known is an empty cell."""
    rows: list[tuple[Any, ...]] = []
    for pair in study.pairs:
        figures = [(e.name, e.of, e.cases, e.value, e.low, e.high) for e in pair.estimates]
        figures += [("bias (points)", b.of, b.n, b.bias, b.low, b.high) for b in pair.percent]
        rows += [(pair.one, pair.other, *figure) for figure in figures]
    columns = ("one", "other", "measure", "of", "n", "value", "low", "high")
    write_csv(path, {name: [_cell(row[k]) for row in rows] for k, name in enumerate(columns)})


def _cell(value: Any) -> str:
    if value is None or value != value:  # not a number
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _told(study: ReaderStudy) -> str:
    lines = []
    for pair in study.pairs:
        kappa = next(e for e in pair.estimates if e.name == "kappa, quadratic weights")
        value = "-" if kappa.value is None else f"{kappa.value:.2f}"
        ends = "" if kappa.low is None else f" ({kappa.low:.2f} to {kappa.high:.2f})"
        cases = int(pair.table.sum())
        lines.append(f"{pair.one} and {pair.other}: {cases} cases, quadratic kappa {value}{ends}")
    return "\n".join(lines)
