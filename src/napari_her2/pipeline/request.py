"""What is asked of a run: files, and wishes of several origins."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

Rgb = tuple[float, float, float]
WHITES: Final = ("white_ihc", "white_he")

__all__ = ["CaseRequest", "Wishes", "read_preferences"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Settings that may be wished for; None is no wish. See ``napari-her2 score --help``.

    Attributes
    ----------
    um_per_px_ihc, um_per_px_he : float
        Pixel sizes, where the files state none or a wrong one.
    white_ihc, white_he : (red, green, blue)
        Colour of bare glass, 100 to 255 per channel, where a person knows better than the slide shows.
    roi : Path
        GeoJSON of the tumour area that a person drew (on the IHC, or on the slide that the file names).
    rule : str
        Name of a guideline.
    ish : mapping
        What ISH found, as in the report.
    engine : {"auto", "classical", "transformer"}
    tumour_model, stain_model, segment_model : str
        Names of models.
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    exhaustive : bool
        Whether model C sees every patch, in place of a coarse-to-fine run that leaves out what is sure.
    stress : bool
        Whether the call is tested: called again with white, pixel size, stain and sharpness changed.
    min_cells : int
        Fewest evaluable cells for a score.
    landmarks : Path
        CSV of pairs of places that correct the mapping.
    pieces : mapping of str to str
        Roles of the IHC's pieces that a person set: ``{"1": "patient", "2": "control 3+"}``.
    calibrate : bool
        Whether confirmed control pieces of 0 or 3+ set the thresholds of the cell engine.
    corrections : bool
        Whether what people corrected in the case is used: masks, areas, verdicts on cells, the tumour area
        that was drawn. Nothing of it is ever deleted.
    specimen : mapping
        What the reader entered about the specimen, as in the report.
    """

    um_per_px_ihc: float | None = None
    um_per_px_he: float | None = None
    white_ihc: Rgb | None = None
    white_he: Rgb | None = None
    roi: Path | None = None
    rule: str | None = None
    ish: Mapping[str, Any] | None = None
    engine: str | None = None
    tumour_model: str | None = None
    stain_model: str | None = None
    segment_model: str | None = None
    device: str | None = None
    exhaustive: bool | None = None
    stress: bool | None = None
    min_cells: int | None = None
    landmarks: Path | None = None
    pieces: Mapping[str, str] | None = None
    calibrate: bool | None = None
    corrections: bool | None = None
    specimen: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any], origin: str) -> Self:
        """From plain values, as a file holds them.

        Raises
        ------
        UsageError
            If a name is none of the settings; the message names ``origin``.
        """
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise UsageError(f"{origin} holds the unknown setting {unknown[0]!r}: correct or remove it")
        paths = {name: Path(values[name]) for name in ("roi", "landmarks") if values.get(name) is not None}
        whites = {name: tuple(values[name]) for name in WHITES if values.get(name) is not None}
        return cls(**{**values, **paths, **whites})

    def given(self) -> dict[str, Any]:
        """Return what is wished for, by name."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRequest:
    """One case to score.

    Attributes
    ----------
    ihc : Path
        The HER2 slide, or a picture of a field.
    out : Path
        The case's folder; made if needed.
    he : Path or None
        The H&E slide; without it the IHC is scored alone.
    options : Wishes
        Said for this run; they go before everything.
    recipe : Wishes
        Entered for this case (a cohort's line, a window); kept in the case for its next run.
    preferences : Wishes or None
        The user's; None reads the user's preferences file.
    restart : bool
        Forget what the folder holds of an earlier run.
    corrections : Path or None
        Folder of the case whose corrections are used, if not those in ``out``.
    forget : tuple of str
        Settings entered for this case before that no longer hold, e.g. ``roi``.
    spare_cores : int
        Cores that models and the cell engine leave to others, as to an open window.
    """

    ihc: Path
    out: Path
    he: Path | None = None
    options: Wishes = field(default_factory=Wishes)
    recipe: Wishes = field(default_factory=Wishes)
    preferences: Wishes | None = None
    restart: bool = False
    corrections: Path | None = None
    forget: tuple[str, ...] = ()
    spare_cores: int = 0


def read_preferences() -> Wishes:
    """Read ``preferences.toml`` of the user's configuration folder; no file means no wishes.

    Raises
    ------
    UsageError
        If the file is no TOML or names an unknown setting.
    """
    from platformdirs import user_config_path

    path = user_config_path("napari-her2", appauthor=False) / "preferences.toml"
    if not path.is_file():
        return Wishes()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path.name} cannot be read ({str(error)[:120]}): correct or remove it") from error
    return Wishes.of(values, path.name)
