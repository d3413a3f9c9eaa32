"""What a reader does to a finished case: verdicts on fields, comments, the signature. On disk at once. No Qt.

For a background thread: every function here writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from napari_her2.errors import CaseError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.case import Report
    from napari_her2.events import Steps
    from napari_her2.review import Field

__all__ = ["Signature", "judge_field", "sign"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A reader's own word.

    Attributes
    ----------
    score : str or None
        None: not scorable.
    her2_status : str
    reader : str
    blind : bool
        Whether the program's score was hidden until this was entered.
    reason : str
        Needed where the score differs from the program's.
    """

    score: str | None
    her2_status: str
    reader: str
    blind: bool = False
    reason: str = ""


def judge_field(folder: Path, field: Field, verdict: str, reader: str, comment: str = "") -> Steps[None]:
    """Log a verdict on a field; ``excluded`` and the name of a class are laid on its cells as well.

    Parameters
    ----------
    folder : Path
        Of the case.
    field : Field
    verdict : str
        ``accepted``, ``excluded``, ``comment`` or the name of a class.
    reader : str
    comment : str
    """
    import numpy as np

    from napari_her2.case import read_case
    from napari_her2.review import ReviewLog, cell_entry, field_entry
    from napari_her2.vocabulary import CELL_CLASSES

    yield from ()
    bundle = read_case(folder)
    ihc = bundle.slide("ihc")
    log = ReviewLog(bundle.files.review, reader)
    if verdict == "excluded" or verdict in CELL_CLASSES:
        cells = bundle.cells()
        chosen = cells.select(cells.evaluable & field.holds(cells.points_px))
        before = [str(word) for word in np.array(CELL_CLASSES)[chosen.class_code]]
        if before:
            word = "exclude" if verdict == "excluded" else verdict
            log.append(cell_entry(chosen.points_px, word, before, tool="field"))
    kind = "changed" if verdict in CELL_CLASSES else verdict
    log.append(field_entry(field, kind, ihc.um_per_px if ihc is not None else 1.0, comment))


def sign(folder: Path, signature: Signature) -> Steps[Report]:
    """Write the reader's own score into the report, beside the program's; sealed and logged.

    Returns
    -------
    Report
        As it is on disk now.

    Raises
    ------
    UsageError
        If no reader is named, or the score differs and no reason is given.
    CaseError, OutputError
        If the case is damaged or cannot be written.
    """
    from napari_her2.case import Report, read_case, read_note, seal_case, write_note
    from napari_her2.case.report import FinalWord, Reader
    from napari_her2.review import ReviewLog
    from napari_her2.store import write_bytes

    yield from ()
    bundle = read_case(folder)
    report, files = bundle.report, bundle.files
    _check(signature, report)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    word = {"score": signature.score, "her2_status": signature.her2_status}
    who = {**word, "reader": signature.reader, "time": now, "blind": signature.blind}
    values = report.to_dict()
    values["reader"] = Reader.model_validate({**who, "reason": signature.reason}).model_dump(mode="json")
    values["final"] = FinalWord.model_validate(word).model_dump(mode="json")
    signed = Report.model_validate(values)
    before = None if report.final is None else report.final.score
    log = ReviewLog(files.review, signature.reader)
    act = {"act": "sign", "time": now, "before": before, "after": signature.score, "blind": signature.blind}
    log.append({**act, "her2_status": signature.her2_status, "reason": signature.reason})
    write_bytes(files.report, signed.to_json().encode("utf-8"))
    note = read_note(folder, signature.reader)
    write_note(folder, signature.reader, replace(note, signed=signature.score or "not scorable"))
    seal_case(bundle, reader=signature.reader)
    return signed


def _check(signature: Signature, report: Any) -> None:
    if not signature.reader.strip():
        raise UsageError("the signature needs a name: type yours or your sign into the field Reader")
    differs = signature.score != report.call.score and not signature.blind  # who has not seen it cannot say
    if differs and not signature.reason.strip():
        raise UsageError(
            f"your score {signature.score or 'not scorable'} differs from the program's "
            f"{report.call.score or 'not scorable'}: say why in a few words"
        )
    if report.call.score is None and signature.score is None and not report.call.reason:
        raise CaseError("the report gives no reason: score the case again")
