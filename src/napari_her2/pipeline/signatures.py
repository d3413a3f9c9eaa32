"""The reader's last signature, which stays with a case that is scored again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["last_signature"]

NEEDED: Final = ("her2_status", "blind")


def last_signature(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return ``reader`` and ``final`` of the report from the last signature in the log; nothing if none.

    Its time says that it is older than the run.
    """
    signed = [entry for entry in entries if entry.get("act") == "sign"]
    if not signed or any(name not in signed[-1] for name in NEEDED):
        return {}
    last = signed[-1]
    word = {"score": last["after"], "her2_status": last["her2_status"]}
    reader = {
        **word,
        "reader": last["who"],
        "time": last["time"],
        "blind": last["blind"],
        "reason": last.get("reason", ""),
    }
    return {"reader": reader, "final": word}
