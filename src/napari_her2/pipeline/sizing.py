"""The pixel size of the IHC: held against the tissue, and what the call would be at another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from napari_her2.events import Progress
from napari_her2.pipeline.stress import Change, called_under
from napari_her2.scoring import load_rule
from napari_her2.tissue import check_size

if TYPE_CHECKING:
    from napari_her2.cells import CellTable
    from napari_her2.cells.planes import TileStain
    from napari_her2.events import Steps
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.run import Run
    from napari_her2.tissue import SizeCheck
    from napari_her2.vocabulary import Score

__all__ = ["SizeFound", "hold_size"]

FACTORS: Final = (0.8, 1.25)

Calls = tuple[tuple[float, "Score | None"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeFound:
    """What is known of the pixel size.

    Attributes
    ----------
    check : SizeCheck
    calls : tuple of (µm/px, score)
        At 0.8 and 1.25 times the stated size; empty where the file stated it.
    """

    check: SizeCheck
    calls: Calls = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags that follow."""
        return ("pixel_size_doubtful",) if self.check.doubtful else ()

    def words(self, score: Score | None) -> tuple[str, ...]:
        """Return what the reason of a call with this score adds."""
        return (*_doubt(self.check), *_other_calls(score, self.calls))

    def to_json(self) -> dict[str, Any]:
        """For ``qc.pixel_size``."""
        check = self.check
        return {
            "stated_um": check.stated_um,
            "suggested_um": None if check.suggested_um is None else list(check.suggested_um),
            "ruler": check.ruler,
            "calls": [{"um_per_px": um, "score": score} for um, score in self.calls],
        }


def hold_size(run: Run, gate: Gate, cells: CellTable, stain: TileStain | None) -> Steps[SizeFound]:
    """Hold the pixel size against the tissue; where a person typed it, call the case at others, too."""

    def measure() -> Steps[SizeCheck]:
        yield Progress("pixel_size", 0, 1, "slides")
        return check_size(run.ihc, gate.tissue)

    check = yield from run.stage("pixel_size", measure, needs=("tissue_ihc",))
    typed = run.plan.settings["um_per_px_ihc"].source != "slide"
    counts_cells = load_rule(run.plan["rule"]).counted == "cells"
    if not typed or not counts_cells or stain is None or not cells.evaluable.any():
        return SizeFound(check=check)
    changes = [Change(what=f"{round(run.ihc.um_per_px * factor, 4):g}", size=factor) for factor in FACTORS]

    def call() -> Steps[Calls]:
        marks = yield from called_under(run, gate, cells, stain, changes)
        return tuple((float(mark.what), mark.score) for mark in marks)

    facts = run.plan.facts("rule", "min_cells") | {"said": run.said.key}
    calls = yield from run.stage("other_sizes", call, needs=("cell_table",), **facts)
    return SizeFound(check=check, calls=calls)


def _doubt(check: SizeCheck) -> tuple[str, ...]:
    if not check.doubtful or check.suggested_um is None:
        return ()
    low, high = check.suggested_um
    return (
        f"{check.stated_um:g} µm/px does not fit what the tissue shows: by its {check.ruler} a pixel has "
        f"{low:g} to {high:g} µm.",
    )


def _other_calls(score: Score | None, calls: Calls) -> tuple[str, ...]:
    """Say where the call depends on the size that a person typed."""
    others = [(um, other) for um, other in calls if other != score]
    if score is None or not others:
        return ()
    said = ", ".join(f"{other or 'not scorable'} at {um:g} µm/px" for um, other in others)
    return (f"The pixel size was typed, and the call hangs on it: {said}.",)
