"""``doctor``: what this machine has, and what to do about what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_her2.cli.console import Answer
from napari_her2.cli.machine import examine

if TYPE_CHECKING:
    import argparse

    from napari_her2.cli.machine import Finding

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> Answer:
    """Examine the machine; what is missing is a finding, never a failure."""
    findings = examine()
    data = {
        "ok": all(finding.ok for finding in findings),
        "checks": [
            {"name": f.name, "ok": f.ok, "found": f.found, "remedy": None if f.ok else f.remedy}
            for f in findings
        ],
    }
    return Answer(data, "\n".join(map(_line, findings)))


def _line(finding: Finding) -> str:
    mark = "ok  " if finding.ok else "lack"
    remedy = "" if finding.ok else f"\n      -> {finding.remedy}"
    return f"{mark}  {finding.name}: {finding.found}{remedy}"
