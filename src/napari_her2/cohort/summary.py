"""All rows of a cohort: the table, and the figures that sum it up."""

from __future__ import annotations

import csv
import math
from collections import Counter
from dataclasses import asdict, dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.case import write_table
from napari_her2.cohort.rows import CohortRow
from napari_her2.scoring import wilson
from napari_her2.store import replacing
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["FILES", "Agreement", "CohortSummary"]

FILES: Final = ("cohort.csv", "cohort.parquet", "cohort.html")
_COLUMN_TYPES: Final = {"str": np.str_, "bool": np.bool_, "int": np.int64, "float": np.float64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Calls against reference scores, over the cases that have both.

    Attributes
    ----------
    group : str
        ``all``, or the name of a site or scanner.
    cases, equal : int
    percent_ci95 : tuple of float
        Wilson's interval of the share of equal scores.
    kappa : float
        Quadratically weighted (Cohen 1968); NaN where all scores are alike.
    """

    group: str
    cases: int
    equal: int
    percent_ci95: tuple[float, float]
    kappa: float

    @classmethod
    def of(cls, group: str, rows: Sequence[CohortRow]) -> Agreement | None:
        """Compare; None where no row has both scores."""
        both = [
            (SCORES.index(row.score), SCORES.index(row.reference_score))
            for row in rows
            if row.score and row.reference_score
        ]
        if not both:
            return None
        from napari_her2.learning.evaluation import weighted_kappa

        equal = sum(ours == theirs for ours, theirs in both)
        table = np.zeros((len(SCORES), len(SCORES)))
        for ours, theirs in both:
            table[ours, theirs] += 1
        return cls(
            group=group,
            cases=len(both),
            equal=equal,
            percent_ci95=wilson(equal, len(both)),
            kappa=float(weighted_kappa(table)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortSummary:
    """What became of a cohort.

    Attributes
    ----------
    rows : tuple of CohortRow
        Of the cases that are through, in the manifest's order.
    cases : int
        Of the manifest.
    seconds : float
        From start to end of this run.
    """

    rows: tuple[CohortRow, ...]
    cases: int
    seconds: float

    @property
    def states(self) -> dict[str, int]:
        """How many cases are ``done``, ``not_scorable``, ``failed``, and still ``open``."""
        found = Counter(row.state for row in self.rows)
        kinds = {state: found[state] for state in ("done", "not_scorable", "failed")}
        return {**kinds, "open": self.cases - len(self.rows)}

    @property
    def scores(self) -> dict[str, int]:
        """Cases by score."""
        found = Counter(row.score for row in self.rows)
        return {score: found[score] for score in SCORES}

    @property
    def tissue_mm2(self) -> float:
        """Tissue of all IHC slides that have a report."""
        return math.fsum(row.tissue_mm2 for row in self.rows if not math.isnan(row.tissue_mm2))

    @property
    def seconds_per_mm2(self) -> float:
        """Worker's seconds per mm² of IHC tissue; NaN without tissue."""
        spent = math.fsum(row.seconds for row in self.rows if not math.isnan(row.seconds))
        return spent / self.tissue_mm2 if self.tissue_mm2 else math.nan

    @property
    def agreement(self) -> tuple[Agreement, ...]:
        """Over all, then by site, then by scanner; empty without reference scores."""
        groups: list[tuple[str, list[CohortRow]]] = [("all", list(self.rows))]
        for kind in ("site", "scanner"):
            names = sorted({getattr(row, kind) for row in self.rows if getattr(row, kind)})
            groups += [
                (f"{kind} {name}", [row for row in self.rows if getattr(row, kind) == name]) for name in names
            ]
        found = (Agreement.of(name, rows) for name, rows in groups)
        return tuple(one for one in found if one is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, without the rows."""
        return {
            "schema": "napari-her2/cohort/1",
            "cases": self.cases,
            "states": self.states,
            "scores": self.scores,
            "agreement": [_plain(asdict(one)) for one in self.agreement],
            "tissue_mm2": round(self.tissue_mm2, 3),
            "seconds": self.seconds,
            "seconds_per_mm2": _plain({"value": round(self.seconds_per_mm2, 3)})["value"],
        }

    def write(self, folder: Path) -> None:
        """Write the summary as CSV, Parquet and page; each takes its place at once."""
        from napari_her2.cohort.page import render_cohort

        for name, text in (("cohort.csv", self.to_csv()), ("cohort.html", render_cohort(self))):
            with replacing(folder / name) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="")
        write_table(folder / "cohort.parquet", self.to_columns())

    def to_csv(self) -> str:
        """Return the table; no value is an empty cell."""
        lines = StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(CohortRow.names())
        for row in self.rows:
            writer.writerow([_cell(value) for value in asdict(row).values()])
        return lines.getvalue()

    def to_columns(self) -> dict[str, NDArray[Any]]:
        """Return the table by columns, for Parquet."""
        kinds = {name: CohortRow.__dataclass_fields__[name].type for name in CohortRow.names()}
        return {
            name: np.array(
                [getattr(row, name) for row in self.rows], _COLUMN_TYPES.get(str(kinds[name]), np.str_)
            )
            for name in CohortRow.names()
        }


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    # A spreadsheet takes such a beginning for a formula.
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t" and value[1:2] else value


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no NaN."""
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in values.items()}
