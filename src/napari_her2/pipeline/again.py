"""A finished case once more, without a window: the same slides and settings must give the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.case import find_slide, read_case
from napari_her2.errors import CaseError
from napari_her2.pipeline.request import CaseRequest, Wishes
from napari_her2.pipeline.story import score_case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_her2.case import CaseBundle
    from napari_her2.case.bundle import SlideRole
    from napari_her2.events import Steps

__all__ = ["Rerun", "rerun_case"]

_FREE: Final = ("started", "seconds")
_PEOPLE: Final = ("reader", "final")


@dataclass(frozen=True, slots=True)
class Rerun:
    """What a second run differs in.

    Attributes
    ----------
    differences : tuple of str
        Places in the report, ``place: before, now``; tables as ``cells`` and ``patches``.
    versions_differ : bool
        Whether the program or a library is of another version, which may explain differences.
    corrected_since : bool
        Whether people corrected the case after it was scored: the second run has that in its numbers.
    """

    differences: tuple[str, ...]
    versions_differ: bool
    corrected_since: bool = False

    @property
    def same(self) -> bool:
        """Whether all numbers are the same."""
        return not self.differences


def rerun_case(
    bundle: CaseBundle, out: Path, *, he: Path | None = None, ihc: Path | None = None
) -> Steps[Rerun]:
    """Score a case again into another folder and compare; preferences of this machine play no part.

    Parameters
    ----------
    bundle : CaseBundle
    out : Path
        Folder of the second run.
    he, ihc : Path, optional
        The slides, where they have moved.

    Raises
    ------
    CaseError
        If a slide cannot be found or is another one, or a file of the settings is not in the case.
    """
    request = CaseRequest(
        ihc=_found(bundle, "ihc", ihc),
        he=_found(bundle, "he", he) if bundle.slide("he") else None,
        out=out,
        options=_wishes(bundle),
        preferences=Wishes(),
        corrections=bundle.folder,
    )
    again = yield from score_case(request)
    before, now = bundle.report.to_dict(), again.to_dict()
    hashes = [{s["sha256"] for s in r["provenance"]["slides"]} for r in (before, now)]
    if hashes[0] != hashes[1]:
        raise CaseError(
            f"{bundle.folder.name} was scored on other slides: give the right ones with --he and --ihc"
        )
    versions = [r["provenance"].pop("versions") for r in (before, now)]
    found = [*_differences("", _numbers(before), _numbers(now)), *_tables(bundle, read_case(out))]
    edits = [report["provenance"]["edits"] for report in (before, now)]
    return Rerun(tuple(found), versions[0] != versions[1], edits[0] != edits[1])


def _found(bundle: CaseBundle, role: SlideRole, given: Path | None) -> Path:
    slide = bundle.slide(role)
    path = given or (find_slide(slide, bundle.folder) if slide else None)
    if path is None:
        raise CaseError(
            f"the {role} slide of {bundle.folder.name} is not where it was: give it with --{role}"
        )
    return path


def _wishes(bundle: CaseBundle) -> Wishes:
    """Wish for each setting what the first run had; defaults and what slides state come by themselves."""
    values: dict[str, Any] = {
        name: setting["value"]
        for name, setting in bundle.report.provenance.settings.items()
        if setting["value"] is not None and setting["source"] not in ("default", "slide")
    }
    for name in ("roi", "landmarks"):
        if name in values:
            kept = bundle.files.inputs / str(values[name])
            if not kept.is_file():
                raise CaseError(f"{kept.name} ({name}) is not in the case: score it anew with the file")
            values[name] = str(kept)
    return Wishes.of(values, "report.json")


def _numbers(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report without what may differ: times, sources of settings and whites, the words of people."""
    source = {k: v for k, v in report["provenance"].items() if k not in _FREE}
    source["settings"] = {k: v["value"] for k, v in source["settings"].items()}
    whites = report["qc"].get("white") or {}
    qc = {**report["qc"], "white": {role: found["rgb"] for role, found in whites.items() if found}}
    return {**{k: v for k, v in report.items() if k not in _PEOPLE}, "provenance": source, "qc": qc}


def _differences(place: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for name in [*before, *(k for k in now if k not in before)]:
            yield from _differences(f"{place}.{name}".lstrip("."), before.get(name), now.get(name))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for k, (one, other) in enumerate(zip(before, now, strict=True)):
            yield from _differences(f"{place}[{k}]", one, other)
    elif before != now:
        yield f"{place}: {str(before)[:60]}, now {str(now)[:60]}"


def _tables(bundle: CaseBundle, again: CaseBundle) -> Iterator[str]:
    for name, before, now in (
        ("cells", bundle.cells().to_columns(), again.cells().to_columns()),
        ("patches", bundle.patches().to_columns(), again.patches().to_columns()),
    ):
        for column, values in before.items():
            if not np.array_equal(values, now[column], equal_nan=np.asarray(values).dtype.kind == "f"):
                yield f"{name}.{column}: differs"
