"""Where models and the user's trust in them are kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Places", "standard_places"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Folders of this machine.

    Attributes
    ----------
    packaged : Path
        Models that came with the package; never written to.
    user : Path
        Models that the user added.
    config : Path
        What the user decided.
    cache : Path
        What may be deleted at any time (``NAPARI_HER2_CACHE`` overrides it).
    """

    packaged: Path
    user: Path
    config: Path
    cache: Path

    @classmethod
    def under(cls, folder: Path) -> Places:
        """All of them in one folder, as tests want it."""
        return cls(
            packaged=folder / "packaged", user=folder / "data" / "models", config=folder / "config",
            cache=folder / "cache",
        )  # fmt: skip


def standard_places() -> Places:
    """Return the package's own folder and the user's, as the system wants them."""
    from platformdirs import user_cache_path, user_config_path, user_data_path

    program = "napari-her2"
    override = os.environ.get("NAPARI_HER2_CACHE")
    return Places(
        packaged=Path(__file__).with_name("weights"),
        user=user_data_path(program, appauthor=False) / "models",
        config=user_config_path(program, appauthor=False),
        cache=Path(override) if override else user_cache_path(program, appauthor=False),
    )
