"""``map-points``: points carried from one slide to the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_her2.cli.console import Answer
from napari_her2.errors import UsageError
from napari_her2.exchange import read_csv, write_csv
from napari_her2.geometry import to_xy
from napari_her2.mapping import load_mapping

if TYPE_CHECKING:
    import argparse

    from numpy.typing import ArrayLike


__all__ = ["run"]

ADDED = ("mapped_x", "mapped_y", "error_um", "inside")


def run(arguments: argparse.Namespace) -> Answer:
    """Read points, carry them, and write them with what was there before."""
    mapping = load_mapping(arguments.mapping)
    table = read_csv(arguments.points)
    points = table.points()
    taken = [name for name in ADDED if name in table.columns]
    if taken:
        raise UsageError(f"{table.name} already has a column {taken[0]!r}: rename or remove it")
    mapped = to_xy(mapping.carry(points, arguments.source))
    inside = mapping.inside(points, arguments.source)
    columns: dict[str, ArrayLike] = {
        name: [row[k] for row in table.rows] for k, name in enumerate(table.columns)
    }
    found: tuple[ArrayLike, ...] = (
        mapped[:, 0],
        mapped[:, 1],
        mapping.error_um(points, arguments.source),
        inside,
    )
    write_csv(arguments.out, {**columns, **dict(zip(ADDED, found, strict=True))})
    data = {
        "out": str(arguments.out),
        "points": len(points),
        "inside": int(inside.sum()),
        "needs_review": mapping.needs_review,
    }
    text = f"{len(points)} points carried, {data['inside']} of them inside the shared tissue: {arguments.out}"
    return Answer(data, text)
