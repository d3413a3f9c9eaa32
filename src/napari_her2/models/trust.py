"""Which files with code in them the user trusts, by hash."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from napari_her2.errors import CaseError, ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.models.places import Places

__all__ = ["is_trusted", "trust", "withdraw_trust"]

FILE = "trusted-models.json"


def _record(places: Places) -> dict[str, Any]:
    from napari_her2.store import read_json

    path: Path = places.config / FILE
    if not path.is_file():
        return {}
    try:
        held = read_json(path)
    except CaseError as error:
        raise ModelError(str(error)) from error
    trusted = held.get("trusted") if isinstance(held, dict) else None
    if not isinstance(trusted, dict):
        raise ModelError(f"{FILE} is no record of trust: remove it from the configuration folder")
    return trusted


def is_trusted(sha256: str, places: Places) -> bool:
    """Whether the user said that this very file may run code."""
    return sha256 in _record(places)


def trust(sha256: str, name: str, places: Places) -> None:
    """Remember that the file of this hash may run code on this machine.

    Parameters
    ----------
    sha256 : str
        Of the file.
    name : str
        Of the model, for people.
    places : Places
    """
    _write({**_record(places), sha256: {"name": name, "when": datetime.now(UTC).isoformat()}}, places)


def withdraw_trust(sha256: str, places: Places) -> None:
    """Forget it; without a record nothing happens."""
    _write({key: value for key, value in _record(places).items() if key != sha256}, places)


def _write(trusted: dict[str, Any], places: Places) -> None:
    from napari_her2.store import write_json

    write_json(places.config / FILE, {"schema": "napari-her2/trust/1", "trusted": trusted})
