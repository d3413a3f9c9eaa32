"""Wishes and reality become one frozen plan: what will run, and where each setting came from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from napari_her2 import __version__
from napari_her2.case import key_of
from napari_her2.errors import ModelError, UsageError
from napari_her2.pipeline.engine import AUTO, CHECKERS, ENGINE_VERSION, MODELS, TRANSFORMER, model_facts
from napari_her2.scoring import DEFAULT_RULE, Ish, load_rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.models import ModelSpec
    from napari_her2.pipeline.request import Wishes
    from napari_her2.slides import White

__all__ = ["FileFacts", "Plan", "Setting", "SlideFacts", "needed_models", "resolve"]

MIN_CELLS_SLIDE: Final = 100
MIN_CELLS_PICTURE: Final = 20
SOURCES: Final = ("option", "case", "preferences")
"""Where a wish may come from; the first one that has it is followed, then the default."""

_DEVICE: Final = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_ROLES: Final = re.compile(r"(patient|duplicate|ignore)|control( (0|1\+|2\+|3\+))?")


@dataclass(frozen=True, slots=True)
class SlideFacts:
    """What a plan must know about a slide.

    Attributes
    ----------
    name : str
        File name.
    sha256 : str
    um_per_px : float
    picture : bool
        A plain picture of a field, not a slide.
    levels : tuple of mappings
        ``shape``, ``downsample``, ``um_per_px`` of each.
    white : White or None
        Of bare glass; None where nobody looked.
    """

    name: str
    sha256: str
    um_per_px: float
    picture: bool = False
    levels: tuple[Mapping[str, Any], ...] = ()
    white: White | None = None

    @property
    def white_rgb(self) -> list[float] | None:
        """Red, green and blue of bare glass."""
        return None if self.white is None else list(self.white.rgb)

    @property
    def white_origin(self) -> str:
        """Where it comes from; ``slide`` where nobody looked."""
        return "slide" if self.white is None else self.white.origin


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A small file that a wish names, by content."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting with its origin: option, case, preferences, default, or the slide itself."""

    value: Any
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do.

    Attributes
    ----------
    ihc, he : SlideFacts
        ``he`` is None where the IHC is scored alone.
    settings : mapping of str to Setting
        In a fixed order; files stand by name.
    contents : mapping of str to str
        SHA-256 of the files among the settings, and a key of each model.
    """

    ihc: SlideFacts
    he: SlideFacts | None
    settings: Mapping[str, Setting]
    contents: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __getitem__(self, name: str) -> Any:
        return self.settings[name].value

    def facts(self, *names: str) -> dict[str, Any]:
        """Return settings by value, files by content, for the key of a stage."""
        return {name: self.contents.get(name, self.settings[name].value) for name in names}

    @property
    def slides(self) -> dict[Literal["he", "ihc"], SlideFacts]:
        """Slides by role."""
        return {"ihc": self.ihc} if self.he is None else {"he": self.he, "ihc": self.ihc}

    @property
    def key(self) -> str:
        """Equal plans, equal keys: the finished result may be taken again."""
        slides = {role: [s.sha256, s.um_per_px, s.picture] for role, s in self.slides.items()}
        made_by = {"version": __version__, "engine": ENGINE_VERSION}
        return key_of({"slides": slides, "settings": self.facts(*self.settings), **made_by})

    def to_json(self) -> dict[str, Any]:
        """Return the settings for the report, each with its source."""
        return {name: {"value": s.value, "source": s.source} for name, s in self.settings.items()}


def resolve(
    wishes: Mapping[str, Wishes],
    *,
    ihc: SlideFacts,
    he: SlideFacts | None,
    files: Mapping[str, FileFacts] = MappingProxyType({}),
    models: Mapping[str, ModelSpec] = MappingProxyType({}),
    said: str = "",
) -> Plan:
    """Make the plan of a run; pure.

    Parameters
    ----------
    wishes : mapping
        By source: ``option`` goes before ``case`` before ``preferences``.
    ihc, he : SlideFacts
    files : mapping of setting to FileFacts
        Contents of the files that the followed wishes name (``roi``, ``landmarks``).
    models : mapping of setting to ModelSpec
        The models that the wishes lead to (``tumour_model``, ``stain_model``, ``segment_model``).
    said : str
        Key of the corrections of people that are used; empty where there are none.

    Raises
    ------
    UsageError
        If a value makes no sense, alone or together.
    ModelError
        If a model is wished for that is not there.
    """
    picked = _Picked(wishes)
    settings = {
        "um_per_px_ihc": picked.get("um_per_px_ihc", ihc.um_per_px, "slide"),
        **({} if he is None else {"um_per_px_he": picked.get("um_per_px_he", he.um_per_px, "slide")}),
        "white_ihc": _white(picked, "white_ihc", ihc),
        **({} if he is None else {"white_he": _white(picked, "white_he", he)}),
        "engine": picked.get("engine", AUTO),
        **{name: _model(picked.get(name, None), models.get(name)) for name in MODELS},
        "device": picked.get("device", "auto"),
        "exhaustive": picked.get("exhaustive", False),
        "stress": picked.get("stress", False),
        "rule": picked.get("rule", DEFAULT_RULE),
        "min_cells": picked.get("min_cells", MIN_CELLS_PICTURE if ihc.picture else MIN_CELLS_SLIDE),
        "ish": picked.get("ish", None),
        "specimen": picked.get("specimen", None),
        "pieces": picked.get("pieces", None),
        "calibrate": picked.get("calibrate", False),
        "corrections": picked.get("corrections", True),
        **{name: _file(picked.get(name, None), files.get(name)) for name in ("roi", "landmarks")},
    }
    _check(settings, he, models)
    contents = {name: facts.sha256 for name, facts in files.items()}
    contents |= {name: model_facts(spec) for name, spec in models.items()}
    contents |= {"corrections": said} if said else {}
    return Plan(ihc=ihc, he=he, settings=MappingProxyType(settings), contents=MappingProxyType(contents))


class _Picked:
    """The first wish for each name, in order of the sources."""

    def __init__(self, wishes: Mapping[str, Wishes]) -> None:
        self._given = [(source, wishes[source].given()) for source in SOURCES if source in wishes]

    def get(self, name: str, default: Any, origin: str = "default") -> Setting:
        found = ((source, given[name]) for source, given in self._given if name in given)
        source, value = next(found, (origin, default))
        return Setting(value, source)


def _white(picked: _Picked, name: str, slide: SlideFacts) -> Setting:
    setting = picked.get(name, slide.white_rgb, slide.white_origin)
    return setting if setting.value is None else Setting(list(setting.value), setting.source)


def _file(setting: Setting, facts: FileFacts | None) -> Setting:
    return Setting(None if setting.value is None or facts is None else facts.name, setting.source)


def _model(setting: Setting, spec: ModelSpec | None) -> Setting:
    """Name the model instead of the path it may have been given by."""
    return setting if spec is None else Setting(spec.name, setting.source)


def _check(settings: Mapping[str, Setting], he: SlideFacts | None, models: Mapping[str, ModelSpec]) -> None:
    value = {name: setting.value for name, setting in settings.items()}
    _check_engine(value, he, models)
    load_rule(value["rule"])
    if value["ish"] is not None:
        Ish.from_json(dict(value["ish"]))
    if not isinstance(value["min_cells"], int) or value["min_cells"] < 1:
        raise UsageError(f"a minimum of {value['min_cells']} cells is no minimum: give 1 or more")
    if value["landmarks"] is not None and he is None:
        raise UsageError("landmarks pair two slides: give the H&E slide with --he, or leave them out")
    for label, role in (value["pieces"] or {}).items():
        if not str(label).isdigit() or not _ROLES.fullmatch(str(role)):
            what = f"piece {str(label)[:20]!r} cannot be {str(role)[:40]!r}"
            raise UsageError(
                f"{what}: say patient, duplicate, ignore, or control with its score (control 3+)"
            )


def _check_engine(value: Mapping[str, Any], he: SlideFacts | None, models: Mapping[str, ModelSpec]) -> None:
    engine = str(value["engine"])
    if not _DEVICE.fullmatch(str(value["device"])):
        raise UsageError(
            f"there is no device {str(value['device'])[:40]!r}: say auto, cpu, cuda, cuda:N or mps"
        )
    if engine not in (AUTO, "classical", TRANSFORMER):
        raise UsageError(f"there is no engine {engine[:40]!r}: say auto, classical or transformer")
    needed = needed_models(he=he is not None, drawn=value["roi"] is not None) if engine == TRANSFORMER else ()
    named = [name for name in MODELS if value[name] is not None]
    missing = [name for name in dict.fromkeys((*named, *needed)) if name not in models]
    if missing:
        said = f"called {str(value[missing[0]])[:80]!r}" if missing[0] in named else "installed"
        raise ModelError(
            f"there is no model for {MODELS[missing[0]].what} {said}: see napari-her2 models list"
        )
    idle = [name for name in named if engine != TRANSFORMER and (engine != AUTO or name not in CHECKERS)]
    if idle:
        what = MODELS[idle[0]].what
        raise UsageError(
            f"{value[idle[0]]} is a model for {what}, which the {engine} engine does not ask: add "
            "--engine transformer"
        )


def needed_models(*, he: bool, drawn: bool) -> tuple[str, ...]:
    """Return the settings whose models take part: none finds the tumour where a person has drawn it."""
    return tuple(name for name in MODELS if name != "tumour_model" or (he and not drawn))
