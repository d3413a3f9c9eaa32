"""The pixel size of the IHC: held against the tissue, and what the call would be at another one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.cells import detect_cells
from napari_her2.events import Progress
from napari_her2.pipeline.finding import quiet
from napari_her2.pipeline.gate import apply_gate
from napari_her2.scoring import CellCounts, apply_rule, load_rule
from napari_her2.slides import open_slide
from napari_her2.tissue import TISSUE_LABELS, check_size

if TYPE_CHECKING:
    from napari_her2.cells.planes import TileStain
    from napari_her2.events import Steps
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.run import Run
    from napari_her2.tissue import SizeCheck, TissueMask
    from napari_her2.vocabulary import Score

__all__ = ["SizeFound", "hold_size"]

FACTORS: Final = (0.8, 1.0, 1.25)
"""At the stated size as well: other sizes are compared on the same places."""
SAMPLE_MM2: Final = 0.5
BLOCK_UM: Final = 256.0
SEED: Final = 8
FEWEST_CELLS: Final = 20

Calls = tuple[tuple[float, "Score | None"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeFound:
    """What is known of the pixel size.

    Attributes
    ----------
    check : SizeCheck
    calls : tuple of (µm/px, score)
        On a sample of the tissue, at the stated size and a fifth off; empty where the file stated it.
    """

    check: SizeCheck
    calls: Calls = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags that follow."""
        return ("pixel_size_doubtful",) if self.check.doubtful else ()

    @property
    def words(self) -> tuple[str, ...]:
        """What the reason of the call adds."""
        return (*_doubt(self.check), *_other_calls(self.check.stated_um, self.calls))

    def to_json(self) -> dict[str, Any]:
        """For ``qc.pixel_size``."""
        check = self.check
        return {
            "stated_um": check.stated_um,
            "suggested_um": None if check.suggested_um is None else list(check.suggested_um),
            "ruler": check.ruler,
            "calls": [{"um_per_px": um, "score": score} for um, score in self.calls],
        }


def hold_size(run: Run, gate: Gate, stain: TileStain | None) -> Steps[SizeFound]:
    """Hold the pixel size against the tissue; where a person typed it, score a sample at others, too."""

    def measure() -> Steps[SizeCheck]:
        yield Progress("pixel_size", 0, 1, "slides")
        return check_size(run.ihc, gate.tissue)

    check = yield from run.stage("pixel_size", measure, needs=("tissue_ihc",))
    typed = run.plan.settings["um_per_px_ihc"].source != "slide"
    if not typed or stain is None or load_rule(run.plan["rule"]).counted == "patches":
        return SizeFound(check=check)

    def score() -> Steps[Calls]:
        lower, stated, upper = FACTORS
        return (
            (yield from _at_size(run, gate, stain, lower)),
            (yield from _at_size(run, gate, stain, stated)),
            (yield from _at_size(run, gate, stain, upper)),
        )

    needs = ("cells", "mapping", "tumour") if gate.tumour is not None else ("cells",)
    facts = run.plan.facts("roi", "pieces", "rule", "ish", "min_cells")
    facts |= {"said": run.said.where} if run.said.where else {}
    calls = yield from run.stage("other_sizes", score, needs=needs, **facts)
    return SizeFound(check=check, calls=calls)


def _at_size(run: Run, gate: Gate, stain: TileStain, factor: float) -> Steps[tuple[float, Score | None]]:
    """Score a sample of the tissue as if pixels had another size."""
    um_per_px = run.ihc.um_per_px * factor
    mask = _sample(gate.tissue)
    resized = replace(mask, um_per_px=mask.um_per_px * factor, slide_um_per_px=mask.slide_um_per_px * factor)
    settings = replace(run.cell_settings, threads=run.own_threads)
    with open_slide(run.ihc.path, um_per_px=um_per_px, white=run.ihc.background) as slide:
        cells = yield from quiet(detect_cells(slide, mask=resized, settings=settings, stain=stain))
    inside = mask.at(cells.points_px) == TISSUE_LABELS["tissue"]
    cells = apply_gate(cells.select(inside), gate)
    call = apply_rule(
        CellCounts.from_codes(cells.class_code[cells.evaluable]),
        run.plan["rule"],
        ish=run.plan["ish"],
        min_cells=min(run.plan["min_cells"], FEWEST_CELLS),
    )
    return round(um_per_px, 4), call.score


def _sample(mask: TissueMask) -> TissueMask:
    """Keep a seeded sample of blocks of tissue, SAMPLE_MM2 in all; the rest becomes background."""
    tissue = mask.counted
    side = max(round(BLOCK_UM / mask.um_per_px), 1)
    rows, cols = (-(-n // side) for n in tissue.shape)
    left = SAMPLE_MM2 * 1e6 / mask.um_per_px**2
    kept = np.zeros(tissue.shape, np.bool_)
    for block in np.random.default_rng(SEED).permutation(rows * cols):
        row, col = (int(n) * side for n in divmod(int(block), cols))
        place = slice(row, row + side), slice(col, col + side)
        kept[place] = tissue[place]
        left -= np.count_nonzero(tissue[place])
        if left <= 0:
            break
    usable = mask.labels == TISSUE_LABELS["tissue"]
    return replace(mask, labels=np.where(usable & ~kept, 0, mask.labels).astype(np.uint8))


def _doubt(check: SizeCheck) -> tuple[str, ...]:
    if not check.doubtful or check.suggested_um is None:
        return ()
    low, high = check.suggested_um
    return (
        f"{check.stated_um:g} µm/px does not fit what the tissue shows: by its {check.ruler} a pixel has "
        f"{low:g} to {high:g} µm.",
    )


def _other_calls(stated_um: float, calls: Calls) -> tuple[str, ...]:
    """Say where the call depends on the size that a person typed."""
    stated = [score for um, score in calls if abs(um - stated_um) < 1e-3 * stated_um]
    others = [(um, score) for um, score in calls if stated and score != stated[0]]
    if not others:
        return ()
    said = ", ".join(f"{score or 'not scorable'} at {um:g} µm/px" for um, score in others)
    return (f"The pixel size was typed, and the call hangs on it: on a sample it is {said}.",)
