"""``models``: what is installed, what it is, and whether its files are whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_her2.cli.console import Answer
from napari_her2.errors import ModelError, UsageError
from napari_her2.models import add_model, check_models, list_models, show_model

if TYPE_CHECKING:
    import argparse

    from napari_her2.models import ModelEntry, ModelSpec

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> Answer:
    """Do what the action says."""
    action, name = arguments.action, arguments.name
    if action != "add" and (arguments.sha256 or arguments.trust):
        raise UsageError(f"--sha256 and --trust belong to `models add`, not to `models {action}`")
    if action == "list":
        return _list(name)
    if action == "verify":
        return _verify(name)
    if name is None:
        raise UsageError(f"`models {action}` needs a model: give its name or path")
    return _show(name) if action == "show" else _add(arguments)


def _facts(entry: ModelEntry) -> dict[str, object]:
    spec = entry.spec
    return {
        "name": spec.name, "task": spec.task, "stain": spec.stain, "um_per_px": spec.um_per_px,
        "size_px": spec.size_px, "classes": list(spec.classes), "sha256": spec.sha256,
        "licence": spec.licence, "origin": entry.origin,
    }  # fmt: skip


def _list(name: str | None) -> Answer:
    if name is not None:
        raise UsageError(f"`models list` names all models and takes no {name!r}: use `models show {name}`")
    entries = list_models()
    lines = [_line(entry.spec, entry.origin) for entry in entries]
    return Answer({"models": [_facts(entry) for entry in entries]}, "\n".join(lines) or "no models yet")


def _line(spec: ModelSpec, origin: str) -> str:
    sees = f"{spec.stain} {spec.size_px} px at {spec.um_per_px:g} µm/px"
    return f"{spec.name:20} {spec.task:9} {sees}, {spec.licence} ({origin})"


def _show(name: str) -> Answer:
    facts = show_model(name)
    metrics = [
        f"  {m['name']} {m['value']:.4g} ({m['low']:.4g} to {m['high']:.4g}), {m['kind']}: {m['data']}"
        for m in facts["metrics"]
    ]
    plain = [f"{key}: {value}" for key, value in facts.items() if key not in ("metrics", "schema", "adapter")]
    return Answer(facts, "\n".join([*plain, "measured:", *(metrics or ["  nothing"])]))


def _add(arguments: argparse.Namespace) -> Answer:
    entry = add_model(Path(arguments.name), sha256=arguments.sha256, trusted=arguments.trust)
    return Answer(_facts(entry), f"{entry.spec.name} was added")


def _verify(name: str | None) -> Answer:
    verdicts = check_models(name)
    wrong = [verdict for verdict in verdicts if not verdict.ok]
    if wrong:
        others = f" (and {len(wrong) - 1} more: {', '.join(v.name for v in wrong[1:])})" if wrong[1:] else ""
        raise ModelError(f"{wrong[0].problem}{others}")
    data = {"models": [{"name": v.name, "origin": v.origin, "ok": v.ok} for v in verdicts]}
    return Answer(data, "\n".join(f"{v.name}: its files are whole" for v in verdicts) or "no models yet")
