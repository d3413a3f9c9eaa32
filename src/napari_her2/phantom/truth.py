"""What is known of a phantom: its score, its cells, its landmarks; and the files that say so."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_her2.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_her2.events import Steps
    from napari_her2.phantom.spec import PhantomSpec

    Rule = Callable[[dict[str, int]], str]

__all__ = ["RULE_NAME", "PhantomTruth", "guideline_score", "render_phantom"]

RULE_NAME = "asco-cap-breast-2023"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomTruth:
    """Score, counts and percentages of the invasive tumour cells that are on the IHC slide.

    Attributes
    ----------
    folder : Path
    score : str
    counts : dict of str to int
        Invasive tumour cells per class ("3+", "2+", "unusual", "1+", "0").
    percent : dict of str to float
    """

    folder: Path
    score: str
    counts: dict[str, int]
    percent: dict[str, float]


def guideline_score(counts: dict[str, int]) -> str:
    """Breast score by ASCO/CAP 2018 (affirmed 2023) from true counts of tumour cells.

    This is the phantom's own statement of the table, written apart from the scoring room so that
    the two can be held against each other. Classes are cumulative; "more than 10 %" is strict; a
    few cells (at most 1 %, or fewer than 10) of the strongest class do not change the score.

    Parameters
    ----------
    counts : dict
        Cells for the keys "3+", "2+", "unusual", "1+" and "0"; missing keys count as 0.

    Returns
    -------
    str
        "0", "1+", "2+" or "3+"; "0" without any cell.
    """
    total = sum(counts.values())
    strong = counts.get("3+", 0)
    complete = strong + counts.get("2+", 0)
    moderate = complete + counts.get("unusual", 0)
    stained = moderate + counts.get("1+", 0)
    if 10 * strong > total:
        return "3+"
    if 10 * moderate > total or (100 * strong >= total and strong >= 10):
        return "2+"
    return "1+" if 10 * stained > total else "0"


def render_phantom(
    spec: PhantomSpec, out: Path, *, rule: Rule = guideline_score, workers: int | None = None
) -> Steps[PhantomTruth]:
    """Draw both slides and write them with their truth into a folder.

    Parameters
    ----------
    spec : PhantomSpec
    out : Path
        Folder; made if it is not there, files of an earlier phantom are replaced.
    rule : callable
        Score from counts per class; the guideline's table by default.
    workers : int, optional
        Threads that draw; one per core, at most four, by default.

    Yields
    ------
    Event

    Returns
    -------
    PhantomTruth

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    from napari_her2.phantom.files import write_phantom

    try:
        out.mkdir(parents=True, exist_ok=True)
        return (yield from write_phantom(spec, out, rule, workers or min(os.cpu_count() or 1, 4)))
    except OSError as error:
        raise OutputError(
            f"the folder {out.name} cannot be written ({error.strerror}): choose another --out"
        ) from error
