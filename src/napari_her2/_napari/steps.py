"""The seven steps of a case and how far each of them is; pure, so that it is tested as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from napari_her2._napari.blind import HIDDEN

if TYPE_CHECKING:
    from napari_her2._napari.session import Session

__all__ = ["STEPS", "Step", "StepState", "current_step", "step_states"]

StepState = Literal["to do", "running", "needs you", "done"]

STEPS: Final = ("slides", "align", "tumour", "analyse", "score", "review", "export")
ALIGN_STAGES: Final = ("tissue", "mapping", "tumour", "pieces")


@dataclass(frozen=True, slots=True)
class Step:
    """How far a step is; ``words`` says it in a few words, ``hint`` what to do about it."""

    state: StepState
    words: str
    hint: str = ""


def step_states(session: Session) -> dict[str, Step]:
    """Return the state of every step, in order."""
    made = (_slides, _align, _tumour, _analyse, _score, _review, _export)
    return {name: make(session) for name, make in zip(STEPS, made, strict=True)}


def current_step(session: Session) -> str:
    """Return the step that a person should look at: what runs, else the first that needs them or is to do."""
    states = step_states(session)
    running = [name for name, step in states.items() if step.state == "running"]
    if running:
        return running[0]
    if session.unread is not None:
        return "review"
    if session.result is not None:
        return "score"
    return next((name for name, step in states.items() if step.state != "done"), "review")


def _slides(session: Session) -> Step:
    if session.activity == "opening":
        return Step("running", "opening")
    he, ihc = session.he, session.ihc
    if he is None and ihc is None:
        return Step("to do", "to do", "Open the H&E and the IHC slide of one block, or the IHC alone.")
    for slide in (ihc, he):
        if slide is not None and slide.um_per_px is None:
            return Step("needs you", "µm/px?", f"{slide.name} states no pixel size: type it.")
    if ihc is None:
        return Step("needs you", "IHC missing", "Add the IHC slide, or swap if this is it.")
    turned = [s.name for s, stain in ((he, "ihc"), (ihc, "he")) if s is not None and s.stain == stain]
    if turned:
        return Step("needs you", "swapped?", f"{turned[0]} looks like the other stain: swap if it is.")
    return Step("done", "pair" if he is not None else "field" if ihc.picture else "IHC alone")


def _align(session: Session) -> Step:
    if session.ihc is not None and session.he is None:
        return Step("done", "not needed", "There is no H&E to align with.")
    if session.activity == "aligning":
        return Step("running", "aligning")
    if session.activity == "running" and session.progress.stage.split(" ")[0].startswith(ALIGN_STAGES):
        return Step("running", "aligning")
    mapping = session.mapping
    if mapping is None:
        return Step("to do", "to do", "Brings H&E and IHC together; scoring does it too.")
    error = f"± {mapping.residual_um_p50:.0f} µm" if mapping.residual_um_p50 < 1e4 else "poor"
    if mapping.needs_review:
        return Step("needs you", f"check, {error}", mapping.reason)
    return Step("done", error, mapping.reason)


def _tumour(session: Session) -> Step:
    rings = session.tumour.rings
    if rings:
        words = f"confirmed, {session.tumour.mm2:.2f} mm²"
        return Step("done", words, "Your area is what counts.")
    if session.settings.forget_area and session.result is not None:
        return Step("needs you", "cleared", "Score again, then confirm the new proposal.")
    if session.result is not None and not session.result.report.provisional:
        return Step("done", "confirmed", "A person's area was scored.")
    if session.outlines:
        return Step("needs you", "proposed", "Confirm the proposal, edit it, or draw your own area.")
    if session.result is not None:
        return Step("needs you", "all tissue", "All tissue counted: draw the invasive tumour.")
    return Step("to do", "to do")


def _analyse(session: Session) -> Step:
    if session.activity == "running":
        return Step("running", session.progress.headline.lower())
    if session.finished is not None:
        return Step("done", "done")
    return Step("to do", "ready" if session.why_not is None else "to do", session.why_not or "")


def _score(session: Session) -> Step:
    if session.unread is not None:
        return Step("needs you", "hidden", HIDDEN)
    if session.result is None:
        return Step("to do", "to do")
    report = session.result.report
    if session.outdated:
        return Step("needs you", "out of date", "The alignment was changed after scoring: score again.")
    if session.area_unscored:
        return Step("needs you", "out of date", "Your tumour area is not counted yet: score again.")
    if not report.scorable:
        return Step("needs you", "not scorable", report.call.reason)
    words = str(report.call.score)
    if report.provisional:
        return Step("needs you", f"{words}, provisional", "Confirm the tumour area.")
    if report.call.borderline:
        return Step("needs you", f"{words}, borderline", "Another score lies within the interval.")
    return Step("done", words)


def _review(session: Session) -> Step:
    if session.unread is not None:
        return Step("needs you", "read first", HIDDEN)
    if session.result is None:
        return Step("to do", "to do")
    signed = session.signed
    if signed:
        return Step("done", f"signed {signed}")
    return Step("needs you", "not signed", "Look at the fields, then sign.")


def _export(session: Session) -> Step:
    return Step("to do", "ready" if session.result is not None else "to do")
