"""Calls that people vouched for: an engine of another version leaves them until a person scores again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from napari_her2.case import read_case, seal_of
from napari_her2.errors import CaseError
from napari_her2.pipeline.engine import ENGINE_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.case import CaseFiles, Report
    from napari_her2.pipeline.corrections import Corrections
    from napari_her2.pipeline.plan import Plan

__all__ = ["engine_of", "standing_report"]

FIRST: Final = "1"
"""Version of the engine of reports that name none."""
CHANGES_NOTHING: Final = ("sign", "seal", "unseal", "field", "reading")
"""Acts of the log that leave the numbers as they are."""


def engine_of(report: Report) -> str:
    """Return the version of the engine that made a report."""
    return report.provenance.versions.get("engine", FIRST)


def standing_report(files: CaseFiles, plan: Plan, said: Corrections) -> Report | None:
    """Return the report that stays although this version's engine would answer anew; None if none does.

    It is signed or sealed, made by an engine of another version from the same slides; every setting that
    was wished for is as it was then, and nobody corrected the case since. Defaults may have changed.

    Parameters
    ----------
    files : CaseFiles
    plan : Plan
        Of the run that is asked for.
    said : Corrections
        What people said about the case.
    """
    try:
        report = read_case(files.folder).report
    except CaseError:
        return None
    vouched = _vouched_at(report, seal_of(files))
    other = engine_of(report) != str(ENGINE_VERSION)
    same = vouched and other and _same_slides(report, plan) and _same_wishes(report, plan)
    return report if same and not _said_since(said, vouched) else None


def _vouched_at(report: Report, seal: Mapping[str, Any]) -> str:
    """Return when a person signed or sealed the case last; empty where nobody did."""
    signed = "" if report.reader is None else report.reader.time
    return max(signed, str(seal.get("time") or ""))


def _same_slides(report: Report, plan: Plan) -> bool:
    return {s.sha256 for s in report.provenance.slides} == {s.sha256 for s in plan.slides.values()}


def _same_wishes(report: Report, plan: Plan) -> bool:
    before = {name: one["value"] for name, one in report.provenance.settings.items()}
    wished = {name: one.value for name, one in plan.settings.items() if one.source in ("option", "case")}
    return all(_plain(value) == _plain(before.get(name)) for name, value in wished.items())


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _said_since(said: Corrections, moment: str) -> bool:
    return any(
        str(entry.get("time", "")) > moment
        for entry in said.entries
        if entry.get("act") not in CHANGES_NOTHING
    )
