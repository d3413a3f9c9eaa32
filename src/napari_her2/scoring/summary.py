"""From cells with classes and places to what a report says about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.errors import UsageError
from napari_her2.scoring.call import Evidence
from napari_her2.scoring.clusters import RADIUS_UM, columns_of, largest_clusters, squares
from napari_her2.scoring.counts import COLUMNS, CellCounts
from napari_her2.scoring.heterogeneity import Heterogeneity, heterogeneity
from napari_her2.scoring.intervals import DRAWS, SEED, multinomial_draws, percent_interval, tile_draws
from napari_her2.vocabulary import CELL_CLASSES, SCORES, CellClass, Score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CellReading",
    "CellSummary",
    "SummarySettings",
    "coverage_from_areas",
    "summarise_cells",
    "widened",
]

_COLUMNS_OF_CLASS: dict[CellClass, tuple[str, ...]] = {
    "3+": ("complete_intense",),
    "2+": ("complete_weak_moderate",),
    "unusual": ("incomplete_moderate", "incomplete_intense"),
    "1+": ("incomplete_faint",),
    "0": ("none",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarySettings:
    """How cells are summarised; the defaults are choices.

    Attributes
    ----------
    tile_um : float
        Side of the tiles that are resampled and compared: a few hundred cells, wider than a nest.
    draws, seed : int
        Resamples, and where their random numbers start.
    engine_bias_points : float
        Largest measured bias of the engine on a percentage, in points.
    cluster_radius_um : float
        Largest distance of two centroids of one cluster.
    """

    tile_um: float = 250.0
    draws: int = DRAWS
    seed: int = SEED
    engine_bias_points: float = 0.0
    cluster_radius_um: float = RADIUS_UM


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellReading:
    """The same cells, read another way that cannot be ruled out.

    Attributes
    ----------
    class_code : ndarray of shape (n,)
        Index in ``CELL_CLASSES``.
    counted : bool ndarray of shape (n,)
    intense : bool ndarray of shape (n,), optional
        Whether an unusual cell stains intensely.
    """

    class_code: NDArray[np.uint8]
    counted: NDArray[np.bool_]
    intense: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellSummary:
    """Evaluable cells in numbers.

    Attributes
    ----------
    counts, clusters : CellCounts
        All evaluable cells, and those of the largest connected clusters (for biopsies).
    percent_ci95 : dict of str to (low, high)
        95 % intervals in percent, the wider of Wilson's and the bootstrap's, with the engine's bias.
    heterogeneity : Heterogeneity
    tiles : ndarray of shape (tiles, 6)
        Cells of each occupied tile by ``COLUMNS``.
    draws : ndarray of shape (n, 6)
        Resampled counts; shared equally among the readings where there are several.
    """

    counts: CellCounts
    clusters: CellCounts
    percent_ci95: dict[CellClass, tuple[float, float]]
    heterogeneity: Heterogeneity
    tiles: NDArray[np.int64]
    draws: NDArray[np.int64]
    settings: SummarySettings

    @property
    def percent(self) -> dict[CellClass, float]:
        """Percentages by class, the strongest first."""
        return self.counts.percent

    @property
    def h_score(self) -> float:
        """H-score, 0 to 300 (auxiliary)."""
        return self.counts.h_score

    def evidence(
        self,
        *,
        false_faint_percent: float | None = None,
        false_faint_upper_percent: float | None = None,
        control_adequate: bool | None = None,
        flags: tuple[str, ...] = (),
    ) -> Evidence:
        """Return what ``apply_rule`` may know besides the counts; see :class:`Evidence`."""
        found = ("heterogeneous",) if self.heterogeneity.found else ()
        return Evidence(
            draws=self.draws,
            engine_bias_points=self.settings.engine_bias_points,
            false_faint_percent=false_faint_percent,
            false_faint_upper_percent=false_faint_upper_percent,
            control_adequate=control_adequate,
            flags=(*flags, *found),
        )

    def to_json(self) -> dict[str, Any]:
        """Return fields for a report (the resamples stay out)."""
        return {
            "counts": self.counts.to_json(),
            "clusters": self.clusters.to_json(),
            "percent": dict(self.percent),
            "percent_ci95": {name: list(ends) for name, ends in self.percent_ci95.items()},
            "h_score": self.h_score,
            "heterogeneity": self.heterogeneity.to_json(),
            "tiles": len(self.tiles),
        }


def summarise_cells(
    class_codes: ArrayLike,
    row_um: ArrayLike,
    col_um: ArrayLike,
    counted: ArrayLike | None = None,
    *,
    intense: ArrayLike | None = None,
    settings: SummarySettings | None = None,
) -> CellSummary:
    """Summarise cells: counts, percentages with intervals, heterogeneity, clusters.

    Parameters
    ----------
    class_codes : array-like of shape (n,)
        Index in ``CELL_CLASSES``.
    row_um, col_um : array-like of shape (n,)
        Centroids in micrometres; only distances matter.
    counted : array-like of shape (n,), optional
        Which cells are evaluable; all by default.
    intense : array-like of shape (n,), optional
        Whether an unusual cell stains intensely (gastric rules ask for it).
    settings : SummarySettings, optional

    Raises
    ------
    UsageError
        If the columns differ in length or hold unknown classes or places that are no numbers.
    """
    used = settings or SummarySettings()
    columns = [np.asarray(class_codes), np.asarray(row_um, np.float64), np.asarray(col_um, np.float64)]
    columns += [] if intense is None else [np.asarray(intense, bool)]
    mask = np.ones(len(columns[0]), bool) if counted is None else np.asarray(counted, bool)
    _check(columns, mask)
    codes, rows, cols, *rest = (column[mask] for column in columns)
    strong = rest[0] if rest else None
    points = np.column_stack([rows, cols])
    tile = squares(points, used.tile_um)
    tiles = _tile_table(columns_of(codes, strong), tile)
    draws = tile_draws(tiles, draws=used.draws, seed=used.seed)
    counts = CellCounts.from_codes(codes, strong)
    return CellSummary(
        counts=counts,
        clusters=largest_clusters(rows, cols, codes, strong, radius_um=used.cluster_radius_um),
        percent_ci95=percent_intervals(counts, draws, used.engine_bias_points),
        heterogeneity=heterogeneity(points, codes == CELL_CLASSES.index("3+"), tile),
        tiles=tiles,
        draws=draws,
        settings=used,
    )


def widened(
    summary: CellSummary, points_um: NDArray[np.float64], others: Sequence[CellReading]
) -> CellSummary:
    """Let the intervals include other readings of the same cells; no count changes.

    The resamples are shared equally among all readings.

    Parameters
    ----------
    summary : CellSummary
    points_um : ndarray of shape (n, 2)
        Centroids of all cells, counted or not, (row, col).
    others : sequence of CellReading
        Of these cells.
    """
    used = summary.settings
    tables = [_reading_table(other, points_um, used.tile_um) for other in others if other.counted.any()]
    if not tables or not len(summary.tiles):
        return summary
    tables.insert(0, summary.tiles)
    draws = np.concatenate(
        [
            _any_draws(table, (used.draws + at) // len(tables), used.seed + at)
            for at, table in enumerate(tables)
        ]
    )
    intervals = percent_intervals(summary.counts, draws, used.engine_bias_points)
    return replace(summary, draws=draws, percent_ci95=intervals)


def _reading_table(reading: CellReading, points_um: NDArray[np.float64], tile_um: float) -> NDArray[np.int64]:
    """Cells of each occupied tile in another reading."""
    chosen = reading.counted
    strong = None if reading.intense is None else reading.intense[chosen]
    return _tile_table(columns_of(reading.class_code[chosen], strong), squares(points_um[chosen], tile_um))


def _any_draws(tiles: NDArray[np.int64], draws: int, seed: int) -> NDArray[np.int64]:
    """Resample tiles; single cells where there is one tile, so that each reading has its draws."""
    found = tile_draws(tiles, draws=draws, seed=seed)
    return found if len(found) else multinomial_draws(tiles.sum(axis=0), draws=draws, seed=seed)


def percent_intervals(
    counts: CellCounts, draws: NDArray[np.int64] | None = None, bias_points: float = 0.0
) -> dict[CellClass, tuple[float, float]]:
    """95 % intervals in percent by class; ``draws`` as of :func:`tile_draws`, else Wilson's alone."""
    known = draws if draws is not None else np.zeros((0, len(COLUMNS)), np.int64)
    totals = known.sum(axis=1)
    return {
        name: percent_interval(
            number,
            counts.total,
            (known[:, _indices(_COLUMNS_OF_CLASS[name])].sum(axis=1), totals),
            bias_points,
        )
        for name, number in counts.by_class.items()
    }


def coverage_from_areas(areas: Mapping[str, float]) -> dict[Score, float]:
    """Percent of the tumour's area per HER2 class, from the area of each; unusual counts as 2+.

    Parameters
    ----------
    areas : mapping
        Area by class (``"0"`` to ``"3+"`` and ``"unusual"``) in any one unit; a missing class is 0.

    Raises
    ------
    UsageError
        If a class is unknown or an area is no number from 0.
    """
    for name, area in areas.items():
        if name not in CELL_CLASSES:
            raise UsageError(f"there is no HER2 class {str(name)[:40]!r}: they are {', '.join(CELL_CLASSES)}")
        if not 0 <= area < float("inf"):
            raise UsageError(f"the area of class {name} is {area}: it must be a number from 0")
    merged = {score: float(areas.get(score, 0.0)) for score in reversed(SCORES)}
    merged["2+"] += float(areas.get("unusual", 0.0))
    total = sum(merged.values())
    return {score: 100 * area / total if total else 0.0 for score, area in merged.items()}


def _check(columns: list[NDArray[Any]], mask: NDArray[np.bool_]) -> None:
    lengths = {len(column) for column in columns} | {len(mask)}
    if len(lengths) > 1:
        raise UsageError(f"columns of cells differ in length: {sorted(lengths)}")
    codes = columns[0][mask]
    if len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < len(CELL_CLASSES):
        raise UsageError(f"class codes must lie between 0 and {len(CELL_CLASSES) - 1}")
    if not all(np.isfinite(column[mask]).all() for column in columns[1:3]):
        raise UsageError("the place of a counted cell is no number")


def _tile_table(columns: NDArray[np.intp], tile: NDArray[np.intp]) -> NDArray[np.int64]:
    number, width = (int(tile.max()) + 1 if len(tile) else 0), len(COLUMNS)
    flat = np.bincount(tile * width + columns, minlength=number * width)
    return flat.reshape(number, width).astype(np.int64)


def _indices(names: tuple[str, ...]) -> list[int]:
    return [COLUMNS.index(name) for name in names]
