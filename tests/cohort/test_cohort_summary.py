"""Rows become figures, a table and a page."""

from __future__ import annotations

import csv
import math
from dataclasses import replace

import numpy as np
import pytest

from napari_her2.cohort import CohortCase, CohortRow, CohortSummary
from napari_her2.cohort.summary import Agreement

SCORED = CohortRow(
    case="a", ihc="a.svs", state="done", score="2+", reference_score="2+", site="North", scanner="S60",
    flags="few_cells heterogeneous", evaluable_cells=120, percent_2=60.0, tissue_mm2=4.0, seconds=10.0,
    borderline=True,
)  # fmt: skip


def summary(*rows, cases=None):
    return CohortSummary(rows=rows, cases=cases or len(rows), seconds=12.0)


@pytest.fixture
def mixed(tmp_path):
    failed = CohortRow.failed(
        CohortCase(name="c <b>", ihc=tmp_path / "c.svs", reference_score="3+"), "no\n slide"
    )
    other = replace(
        SCORED, case="b", score="1+", tissue_mm2=6.0, seconds=30.0, site="South", borderline=False
    )
    unsure = replace(SCORED, case="d", state="not_scorable", score="", tissue_mm2=math.nan, seconds=math.nan)
    return summary(SCORED, other, failed, unsure, cases=6)


def test_states_scores_and_cost(mixed):
    assert mixed.states == {"done": 2, "not_scorable": 1, "failed": 1, "open": 2}
    assert mixed.scores == {"0": 0, "1+": 1, "2+": 1, "3+": 0}
    assert mixed.tissue_mm2 == pytest.approx(10.0)
    assert mixed.seconds_per_mm2 == pytest.approx(4.0)


def test_agreement_is_over_cases_with_both_scores(mixed):
    found = {one.group: (one.equal, one.cases) for one in mixed.agreement}
    assert found == {"all": (1, 2), "site North": (1, 1), "site South": (0, 1), "scanner S60": (1, 2)}


def test_kappa_is_cohens_with_squared_weights():
    pairs = [("0", "0"), ("1+", "1+"), ("2+", "3+"), ("3+", "3+"), ("1+", "0"), ("2+", "2+")]
    rows = [replace(SCORED, score=ours, reference_score=theirs) for ours, theirs in pairs]
    found = Agreement.of("all", rows)
    ours, theirs = (np.array([["0", "1+", "2+", "3+"].index(pair[k]) for pair in pairs]) for k in (0, 1))
    by_chance = np.mean([(a - b) ** 2 for a in ours for b in theirs])
    assert found.kappa == pytest.approx(1 - np.mean((ours - theirs) ** 2) / by_chance)
    assert found.equal == 4
    low, high = found.percent_ci95
    assert low < 100 * 4 / 6 < high


def test_all_alike_has_no_kappa_and_json_no_nan(mixed):
    alike = summary(SCORED, replace(SCORED, case="b"))
    assert math.isnan(alike.agreement[0].kappa)
    assert alike.to_dict()["agreement"][0]["kappa"] is None
    assert summary(replace(SCORED, tissue_mm2=math.nan)).to_dict()["seconds_per_mm2"] is None


def test_the_table_is_the_same_as_csv_and_parquet(mixed, tmp_path):
    from pyarrow import parquet

    mixed.write(tmp_path)
    rows = list(csv.DictReader((tmp_path / "cohort.csv").read_text("utf-8").splitlines()))
    table = parquet.read_table(tmp_path / "cohort.parquet")
    assert tuple(rows[0]) == tuple(table.column_names) == CohortRow.names()
    assert [row["case"] for row in rows] == table.column("case").to_pylist() == ["a", "b", "c <b>", "d"]
    assert rows[0]["borderline"] == "true"
    assert table.column("borderline").to_pylist() == [True, False, False, True]
    assert rows[2]["tissue_mm2"] == ""
    assert math.isnan(table.column("tissue_mm2").to_pylist()[2])
    assert rows[2]["reason"] == "no slide"
    assert table.column("evaluable_cells").to_pylist() == [120, 120, 0, 120]


def test_a_cell_is_no_formula(mixed):
    row = replace(SCORED, reason="=1+1", score="1+")
    assert ",'=1+1" in summary(row).to_csv()
    assert ",1+," in summary(row).to_csv()


def test_the_page_leads_to_the_cases_and_escapes(mixed, tmp_path):
    mixed.write(tmp_path)
    page = (tmp_path / "cohort.html").read_text("utf-8")
    assert '<a href="a/report.html">a</a>' in page
    assert "c &lt;b&gt;" in page
    assert "<b>" not in page
    assert "Agreement with the reference scores" in page
    assert "few cells" in page
    assert "Agreement with" not in render_without_reference()


def render_without_reference():
    from napari_her2.cohort.page import render_cohort

    return render_cohort(summary(replace(SCORED, reference_score="")))
