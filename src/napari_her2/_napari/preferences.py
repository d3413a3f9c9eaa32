"""What a person set under Preferences → Plugins; read from napari, never written."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

__all__ = ["Preferences", "preferences"]

PLUGIN = "napari-her2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """The plugin's preferences; the defaults equal those of the manifest.

    Attributes
    ----------
    device : str
        Where models run: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    rule : str
        Guideline that a new case starts with.
    min_cells : int
        Least number of evaluable cells of a slide.
    case_folder : str
        Where new cases go; empty means beside the IHC slide.
    tile_cache_mib : int
        Memory for decoded tiles.
    cache_folder : str
        For sample data and models; empty means the user's cache.
    cell_limit : int
        How many cells are drawn at most; beyond, an even sample is shown.
    reader : str
        Name or sign of the person who reads.
    blind_first : bool
        The program's score is hidden until the reader has entered their own.
    record : bool
        Note which regions were looked at, and how closely.
    """

    device: str = "auto"
    rule: str = "asco-cap-breast-2023"
    min_cells: int = 100
    case_folder: str = ""
    tile_cache_mib: int = 512
    cache_folder: str = ""
    cell_limit: int = 60000
    reader: str = ""
    blind_first: bool = False
    record: bool = False


CATEGORIES = ("scoring", "review", "display")


def preferences() -> Preferences:
    """Return what is set, or the defaults where napari does not know the plugin."""
    from napari.settings import get_plugin_settings

    try:
        settings = get_plugin_settings(PLUGIN)
    except KeyError:
        return Preferences()
    found: dict[str, Any] = {}
    for category in CATEGORIES:
        values = getattr(settings, category, None)
        found |= {f.name: getattr(values, f.name) for f in fields(Preferences) if hasattr(values, f.name)}
    return Preferences(**found)
