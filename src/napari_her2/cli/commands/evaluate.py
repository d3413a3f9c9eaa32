"""``evaluate``: predictions of a file, or a model on labelled patches or phantoms, measured by case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.cli.console import Answer, follow
from napari_her2.errors import UsageError
from napari_her2.inference import pick_device
from napari_her2.learning.evaluation import (
    MIXED,
    Evaluation,
    MaskTallies,
    Predictions,
    Protocol,
    compare,
    compare_masks,
    evaluate,
    evaluate_masks,
    folder_samples,
    phantom_samples,
    read_predictions,
    run_model,
    write_estimates,
    write_predictions,
)
from napari_her2.models import find_model
from napari_her2.report import render_evaluation
from napari_her2.store import writable_folder, write_bytes, write_json
from napari_her2.vocabulary import DISCLAIMER

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from napari_her2.learning.evaluation import Sample
    from napari_her2.models import ModelEntry

__all__ = ["run"]

SCHEMA: Final = "napari-her2/evaluation/1"
FILES: Final = ("evaluation.json", "evaluation.csv", "evaluation.html", "predictions.csv")
HEADLINES: Final = (
    "accuracy", "balanced accuracy", "quadratic weighted kappa", "AUC", "mean IoU", "calibration error",
)  # fmt: skip
Found = Predictions | MaskTallies


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """Predictions with a name and what is said about where they come from."""

    name: str
    found: Found
    facts: tuple[tuple[str, str], ...]


def run(arguments: argparse.Namespace) -> Answer:
    """Measure, and write JSON, CSV and the page."""
    _check(arguments)
    out = writable_folder(arguments.out)
    for name in FILES:
        (out / name).unlink(missing_ok=True)
    protocol = Protocol(threshold=arguments.threshold, draws=arguments.draws, seed=arguments.seed)
    one = _measured(arguments, arguments.model)
    other = _measured(arguments, arguments.against) if arguments.against else None
    kind = "phantom" if arguments.phantoms else arguments.kind or "unstated"
    parts = [_against(part, pair, other, protocol) for part, pair in _parts(one, other, kind, protocol)]
    plain = [part.to_json() for part in parts]
    if isinstance(one.found, Predictions) and arguments.model is not None:
        write_predictions(one.found, out / "predictions.csv")
    write_estimates(parts, out / "evaluation.csv")
    write_bytes(out / "evaluation.html", render_evaluation(plain, f"Evaluation of {one.name}").encode())
    data = {"schema": SCHEMA, "parts": plain, "disclaimer": DISCLAIMER}
    write_json(out / "evaluation.json", data)
    return Answer({"out": str(arguments.out), **data}, f"{_text(parts)}\n{arguments.out / FILES[2]}")


def _check(arguments: argparse.Namespace) -> None:
    source, phantoms, model = arguments.source, arguments.phantoms, arguments.model
    if (source is None) == (phantoms is None):
        raise UsageError(
            "give a CSV of predictions, a folder of labelled patches, or --phantoms N: one of them"
        )
    if source is not None and not source.exists():
        raise UsageError(f"{source.name} does not exist: check its name")
    if source is not None and source.is_file():
        if model is not None:
            raise UsageError(f"{source.name} holds predictions already: leave --model out, or give a folder")
    elif model is None:
        raise UsageError("labelled patches need a model to be measured on them: name it with --model")
    if arguments.phantoms and arguments.kind == "real":
        raise UsageError("phantoms are not real images: leave --kind out")


def _measured(arguments: argparse.Namespace, name: str | None) -> _Measured:
    """Read the predictions of a file, or ask a model; ``name`` is that of the model or of a second file."""
    event = tuple(arguments.event.split(",")) if arguments.event else None
    if arguments.source is not None and arguments.source.is_file():
        path = arguments.source if name is None else Path(name)
        return _Measured(path.name, read_predictions(path, event), (("predictions", path.name),))
    entry = find_model(str(name))
    found, facts = _asked(arguments, entry)
    if event is not None and isinstance(found, Predictions):
        found = replace(found, event=event)
    return _Measured(entry.spec.name, found, facts)


def _asked(arguments: argparse.Namespace, entry: ModelEntry) -> tuple[Found, tuple[tuple[str, str], ...]]:
    spec = entry.spec
    samples, total, data = _samples(arguments, entry)
    device = pick_device(arguments.device)
    model = entry.load(device=device.name)
    steps = run_model(model, samples, total, tolerance_um=arguments.tolerance_um)
    found = follow(steps, quiet=arguments.json)
    facts = (("model", spec.name), ("sha256", spec.sha256), ("data", data), ("device", device.name))
    return found, facts


def _samples(arguments: argparse.Namespace, entry: ModelEntry) -> tuple[Iterator[Sample], int, str]:
    if arguments.phantoms:
        data = f"{arguments.phantoms} patches of phantoms, seed {arguments.seed}, drawn for tests alone"
        return phantom_samples(entry.spec, arguments.phantoms, arguments.seed), arguments.phantoms, data
    patches = folder_samples(arguments.source, entry.spec)
    return (patch.read() for patch in patches), len(patches), f"patches of {arguments.source.name}"


def _parts(
    one: _Measured, other: _Measured | None, kind: Any, protocol: Protocol
) -> Iterator[tuple[Evaluation, tuple[Found, Found | None]]]:
    """Evaluate all samples, or those with a clear truth and the mixed ones apart."""
    if isinstance(one.found, MaskTallies):
        whole = evaluate_masks(one.found, title=one.name, kind=kind, protocol=protocol, facts=one.facts)
        yield whole, (one.found, None if other is None else other.found)
        return
    group = one.found.group
    mixed = np.zeros(len(one.found.truth), bool) if group is None else group == MIXED
    if not mixed.any() or mixed.all():
        chosen = [(one.name, np.ones_like(mixed))]
    else:
        chosen = [(f"{one.name}: clear truth", ~mixed), (f"{one.name}: mixed patches", mixed)]
    for title, rows in chosen:
        part = one.found.select(rows)
        pair = (
            other.found.select(rows) if other is not None and isinstance(other.found, Predictions) else None
        )
        yield evaluate(part, title=title, kind=kind, protocol=protocol, facts=one.facts), (part, pair)


def _against(
    part: Evaluation, pair: tuple[Found, Found | None], other: _Measured | None, protocol: Protocol
) -> Evaluation:
    if other is None:
        return part
    one, two = pair
    if isinstance(one, Predictions) and isinstance(two, Predictions):
        return replace(part, compared=compare(one, two, protocol), against=other.name)
    if isinstance(one, MaskTallies) and isinstance(two, MaskTallies):
        return replace(part, compared=compare_masks(one, two, protocol), against=other.name)
    raise UsageError(f"{other.name} does another task: compare models of one task")


def _text(parts: list[Evaluation]) -> str:
    lines = []
    for part in parts:
        lines.append(f"{part.title} ({part.kind}): {part.samples} samples of {part.cases} cases")
        for e in part.estimates:
            if e.name in HEADLINES and e.value is not None and (not e.of or e.name == "AUC"):
                ends = "" if e.low is None or e.high is None else f" ({e.low:.3f} to {e.high:.3f})"
                note = f"; {e.note}" if e.note else ""
                lines.append(f"  {f'{e.name} {e.of}'.strip()} {e.value:.3f}{ends}{note}")
    return "\n".join([*lines, DISCLAIMER])
