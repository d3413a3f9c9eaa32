"""A second look: models L and M beside the cells, on all of a small picture or on a sample of a slide.

The cells make the call. With the engine ``auto`` this look is all that the models do; where they judged the
whole area (``transformer``) their answers are taken from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.inference import BatchDone, PlanWishes
from napari_her2.pipeline.agreeing import Opinion, agreement_of, interval_of, opinion_of, percent_rule
from napari_her2.pipeline.asking import prepare
from napari_her2.pipeline.patches import CLASS_OF, patch_counts
from napari_her2.pipeline.sampling import draw, kinds_of
from napari_her2.scoring import load_rule
from napari_her2.stain import optical_density, unmix
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_her2.case import PatchTable
    from napari_her2.cells import CellTable
    from napari_her2.cells.planes import TileStain
    from napari_her2.events import Steps
    from napari_her2.patches import PatchGrid
    from napari_her2.pipeline.agreeing import Standing
    from napari_her2.pipeline.asking import Asked
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.pixels import PixelsFound
    from napari_her2.pipeline.run import Run
    from napari_her2.pipeline.sampling import Drawn
    from napari_her2.scoring import Call, CellSummary
    from napari_her2.vocabulary import Score

__all__ = ["Look", "look_beside", "opinions", "standing_of"]

NAMES: Final = {"stain_model": "patches", "segment_model": "pixels"}
PER_MM2: Final = {"stain_model": 45.0, "segment_model": 1.0}
"""Patches asked about for each mm² that counts: about what cells take there, L and M together."""
LIMITS: Final = {"stain_model": (48, 200), "segment_model": (4, 8)}
"""Fewest and most; 200 patches of L keep its call in 99.6 % of draws."""
LEAST_INSIDE: Final = 0.5
"""Of a brown patch without cells that must lie in the area that counts."""
LEAST_CELLS: Final = 3
"""Evaluable cells from which a patch shows tumour."""
LEAST_JUDGED: Final = {"stain_model": 5, "segment_model": 1}
"""From fewer patches a model has no answer."""
UNREAD_OD: Final = 0.2
"""Mean DAB from which a patch without cells is looked at too: there may be tumour that nobody counted."""
OVERVIEW_PX: Final = 2048
PLACES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a model saw on a sample.

    Attributes
    ----------
    opinion : Opinion
        By the run's guideline.
    asked : Asked
    """

    opinion: Opinion
    asked: Asked


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Patches worth a look: (row, col) in their grid, mean DAB, class of most cells (-1: none)."""

    grid: PatchGrid
    cells: NDArray[np.int64]
    dab_od: NDArray[np.float64]
    cell_class: NDArray[np.int64]


def look_beside(run: Run, gate: Gate, cells: CellTable, stain: TileStain | None) -> Steps[Mapping[str, Look]]:
    """Let L and M look at a sample of the area that counts, where the engine asks them beside the cells."""
    if not run.checkers or stain is None or load_rule(run.plan["rule"]).counted == "patches":
        return {}
    began, looks = perf_counter(), {}
    inside = gate.inside()
    for setting in run.checkers:
        places = _places(run, setting, (gate, inside), cells, stain)
        number = _number(setting, float(inside.sum()) * gate.tissue.um_per_px**2 / 1e6)

        def work(setting: str = setting, places: _Places = places, number: int = number) -> Steps[Look]:
            return (yield from _look(run, setting, places, number))

        key = f"look_{NAMES[setting]}"
        facts = {"rule": run.plan["rule"], "said": run.said.key, **run.plan.facts(setting, "device")}
        looks[NAMES[setting]] = yield from run.stage(key, work, needs=("cell_table",), **facts)
        run.asked[setting] = looks[NAMES[setting]].asked
    yield run.took("second_look", began)
    return looks


def _number(setting: str, area_mm2: float) -> int:
    low, high = LIMITS[setting]
    return int(np.clip(round(PER_MM2[setting] * area_mm2), low, high))


def _places(
    run: Run, setting: str, area: tuple[Gate, NDArray[np.bool_]], cells: CellTable, stain: TileStain
) -> _Places:
    gate, inside = area
    none = np.empty((0, 2), np.int64)
    grid = prepare(run, setting, PlanWishes(overlap=0.0), cells=none).plan.grid
    counted = cells.select(cells.evaluable)
    votes = np.zeros((len(grid.cells), len(SCORES)), np.int64)
    np.add.at(votes, (grid.index_of(counted.points_px), CLASS_OF[counted.class_code]), 1)
    dab_od = _dab_of(run, grid, stain)
    enough = votes.sum(axis=1) >= LEAST_CELLS
    share = grid.mean_of(inside.astype(np.float32), gate.tissue.level0_px)
    chosen = np.flatnonzero(enough | ((share >= LEAST_INSIDE) & (dab_od >= UNREAD_OD)))
    best = len(SCORES) - 1 - votes[:, ::-1].argmax(axis=1)
    return _Places(grid, grid.cells[chosen], dab_od[chosen], np.where(enough, best, -1)[chosen])


def _dab_of(run: Run, grid: PatchGrid, stain: TileStain) -> NDArray[np.float64]:
    """Mean DAB of each patch, from an overview of the slide."""
    small = run.ihc.thumbnail(OVERVIEW_PX)
    dab = np.maximum(unmix(optical_density(small, stain.white), stain.vectors)[..., 1], 0)
    return grid.mean_of(np.asarray(dab, np.float32), run.ihc.shape[0] / small.shape[0])


def _look(run: Run, setting: str, places: _Places, number: int) -> Steps[Look]:
    drawn = draw(kinds_of(places.dab_od, places.cell_class), number)
    wanted = places.cells[drawn.index]
    asking = prepare(run, setting, PlanWishes(overlap=0.0), cells=wanted)
    at = {(int(r), int(c)): k for k, (r, c) in enumerate(wanted)}
    found, sample = np.zeros((len(wanted), len(SCORES))), asking.sample(wanted)
    for event in asking.batches(f"look_{NAMES[setting]}", None, sample):
        if isinstance(event, BatchDone):
            rows = [at[int(r), int(c)] for r, c in event.cells]
            found[rows] = _shares(event.probabilities)
            if sample is not None and event.features is not None:
                kept = sample.wants(event.cells)
                sample.keep(event.cells[kept], event.features[kept])
        else:
            yield event
    return Look(opinion=_opinion(run, setting, places, drawn, found), asked=asking.asked(sample))


def _shares(answers: NDArray[np.float32]) -> NDArray[np.float64]:
    """Share of each score in each patch: one of L's is all of its best class, one of M's by its pixels."""
    if answers.ndim == 2:
        best = len(SCORES) - 1 - answers[:, ::-1].argmax(axis=1)
        return np.asarray(np.eye(len(SCORES))[best])
    best = answers.argmax(axis=1)
    return np.stack([(best == k).mean(axis=(1, 2)) for k in range(1, len(SCORES) + 1)], axis=1)


def _opinion(run: Run, setting: str, places: _Places, drawn: Drawn, found: NDArray[np.float64]) -> Opinion:
    total = (found * drawn.weight[:, None]).sum(axis=0)
    shares = dict(zip(SCORES, (total / max(float(total.sum()), 1e-9)).tolist(), strict=True))
    looked = len(drawn.index) / len(places.cells) if len(places.cells) else None
    apart = _apart(found, places.cell_class[drawn.index])
    order = [k for k in np.argsort(-apart, kind="stable") if apart[k] >= 1][:PLACES]
    centres = places.grid.centres(places.cells[drawn.index][order])
    return opinion_of(
        NAMES[setting],
        shares,
        drawn.number if total.sum() and len(drawn.index) >= LEAST_JUDGED[setting] else 0,
        percent_rule(run.plan["rule"]),
        looked=None if looked is None else round(looked, 4),
        places=tuple((round(float(x), 1), round(float(y), 1)) for y, x in centres),
    )


def _apart(found: NDArray[np.float64], cell_class: NDArray[np.int64]) -> NDArray[np.float64]:
    """Classes between the scorer's mean class of a patch and that of its cells; no cells count as 0."""
    total = found.sum(axis=1)
    mean = (found * np.arange(len(SCORES))).sum(axis=1) / np.maximum(total, 1e-9)
    return np.where(total > 0, np.abs(mean - np.maximum(cell_class, 0)), 0.0)


def opinions(
    run: Run, looks: Mapping[str, Look], patches: PatchTable, pixels: PixelsFound | None
) -> tuple[Opinion, ...]:
    """Return what L and M say, of a sample or of the whole area; nothing where they did not look."""
    if pixels is None:
        return tuple(look.opinion for look in looks.values())
    rule, counts = percent_rule(run.plan["rule"]), patch_counts(patches)
    by_class = {"3+": counts.complete_intense, "2+": counts.complete_weak_moderate,
                "1+": counts.incomplete_faint, "0": counts.none}  # fmt: skip
    areas = pixels.areas_mm2
    return (
        opinion_of("patches", _parts(by_class), counts.total, rule, looked=1.0),
        replace(opinion_of("pixels", _parts(areas), 1.0, rule, looked=1.0), interval=None),
    )


def _parts(amounts: Mapping[Any, float]) -> dict[Score, float]:
    total = sum(amounts.values())
    return {score: amounts.get(score, 0) / total if total else 0.0 for score in SCORES}


def standing_of(run: Run, call: Call, summary: CellSummary, others: tuple[Opinion, ...]) -> Standing:
    """Return whether the others confirm the call; nobody checks the paper's rule."""
    least = max(SCORES.index(call.score), 1) if call.score is not None else 1
    percent, total = summary.percent, summary.counts.total
    stronger = {"unusual" if least <= SCORES.index("2+") else "", *SCORES[least:]}
    share = sum(value for name, value in percent.items() if name in stronger) / 100
    known = call.score is not None and total > 0
    cells = Opinion(
        name="cells",
        score=call.score,
        share=round(min(share, 1.0), 4) if known else None,
        interval=interval_of(min(share, 1.0), total) if known else None,
        looked=1.0,
    )
    if load_rule(run.plan["rule"]).counted == "patches":
        return agreement_of(cells, (), "The paper's rule takes the strongest patch, which nobody checks.")
    return agreement_of(cells, others, run.unchecked)
