"""``rule``: a guideline applied to counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_her2.cli.console import Answer
from napari_her2.report.words import sampled
from napari_her2.scoring import Call, apply_rule, list_rules

if TYPE_CHECKING:
    import argparse

__all__ = ["call_text", "run"]

NOT_SCORABLE: Final = 5


def run(arguments: argparse.Namespace) -> Answer:
    """Apply the rule that was asked for, or list all."""
    if arguments.list:
        return _listed()
    counts = dict(arguments.counts)
    clusters = counts.pop("clusters", None)
    call = apply_rule(
        counts, arguments.rule, ish=arguments.ish, min_cells=arguments.min_cells, clusters=clusters
    )
    return Answer(call.to_json(), call_text(call), NOT_SCORABLE if call.score is None else 0)


def _listed() -> Answer:
    rules: list[dict[str, Any]] = [rule.to_json() for rule in list_rules()]
    width = max(len(rule["name"]) for rule in rules)
    lines = [f"{rule['name']:<{width}}  {rule['edition']}" for rule in rules]
    return Answer({"rules": rules}, "\n".join(lines))


def call_text(call: Call) -> str:
    """Return a call for a person: headline, reason, path, flags."""
    headline = "not scorable" if call.score is None else f"HER2 {call.score}, {call.her2_status}"
    steps = [
        f"  {'yes' if step.holds else 'no ':<3}  {step.test}: {step.value:g} (threshold {step.threshold:g})"
        for step in call.path
    ]
    near = ["borderline: within the uncertainty the counts could also mean another score"] * call.borderline
    flags = [f"flags: {', '.join(call.flags)}"] if call.flags else []
    likely = [f"{score} {sampled(p)}" for score, p in call.alternatives.items()]
    alternatives = [f"by sampling alone: {', '.join(likely)}"] if likely else []
    return "\n".join([headline, call.reason, *steps, *near, *flags, *alternatives])
