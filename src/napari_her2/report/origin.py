"""What the page says about models, alignment, quality of the slide, and where the result comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from napari_her2.report.blocks import Block, Rows, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.case import Report
    from napari_her2.case.report import White

__all__ = ["mapping_blocks", "model_blocks", "origin_blocks", "quality_blocks"]

SLIDES: Final[tuple[tuple[Literal["ihc", "he"], str], ...]] = (("ihc", "IHC"), ("he", "H&E"))
WHITE_WORDS: Final = {
    "glass": "seen on the slide",
    "other_slide": "no glass in view: as on the other slide of the same scanner",
    "assumed": "no glass in view: assumed",
    "given": "given by a person",
}


def model_blocks(report: Report) -> tuple[Block, ...]:
    """Return models with what they were trained on, what was measured, and their hashes."""
    if not report.models:
        return ()
    rows = tuple(
        (m.name, f"{m.um_per_px:g}", m.trained_on, m.licence, _metrics(m.metrics)) for m in report.models
    )
    head = ("Model", "µm/px", "trained on", "licence", "measured (95 % interval)")
    hashes = tuple((m.name, m.sha256 or "-") for m in report.models)
    return Rows(rows, head, numbers=(1,)), Rows(hashes, ("Model", "SHA-256 of the weights"), codes=(1,))


def _metrics(metrics: Mapping[str, Any]) -> str:
    said = (
        f"{name} {value[0]:.3g} ({value[1]:.3g} to {value[2]:.3g})"
        for name, value in metrics.items()
        if isinstance(value, list | tuple) and len(value) == 3
    )
    return "; ".join(said) or "nothing"


def mapping_blocks(report: Report) -> tuple[Block, ...]:
    """Return how well the two slides were brought together."""
    quality = report.mapping
    if quality is None:
        return ()
    fold = "-" if quality.min_jacobian is None else f"{quality.min_jacobian:.2f} (no fold above 0)"
    rows = (
        ("kind", quality.kind),
        ("estimated error, median", _um(quality.residual_um_p50)),
        ("estimated error, nine in ten places", _um(quality.residual_um_p90)),
        ("shared tissue", "-" if quality.overlap_fraction is None else f"{quality.overlap_fraction:.0%}"),
        ("least local area factor", fold),
        ("patches matched one to one", "yes" if quality.injective else "no"),
        ("needs review", "yes" if quality.needs_review else "no"),
        ("because", quality.reason or "-"),
    )
    return (Rows(rows),)


def _um(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} µm"


def quality_blocks(report: Report) -> tuple[Block, ...]:
    """Return how much tissue could be used, and how it looks."""
    qc = report.qc
    left_out = ", ".join(f"{name} {area:.2f}" for name, area in qc.excluded_mm2.items() if area) or "none"
    rows = [("Usable tissue on the IHC (mm²)", f"{qc.tissue_mm2:.2f}"), ("Left out (mm²)", left_out)]
    if qc.focus is not None:
        rows.append(("Tissue in focus", f"{qc.focus:.0%}"))
    if qc.stain_drift is not None:
        rows.append(("Stain colours away from the usual ones", f"{qc.stain_drift:.0f}°"))
    whites = qc.white or {}
    rows += [(f"White of the {name}", _white(whites[role])) for role, name in SLIDES if role in whites]
    return (Rows(tuple(rows)),)


def _white(white: White) -> str:
    rgb = ", ".join(f"{value:.0f}" for value in white.rgb)
    return f"{rgb} ({WHITE_WORDS.get(white.from_, white.from_)})"


def origin_blocks(report: Report, seal: str) -> tuple[Block, ...]:
    """Return slides by hash, settings with their sources, versions."""
    source = report.provenance
    slides = Rows(
        tuple((s.name, f"{s.um_per_px:g} µm/px", s.sha256) for s in source.slides),
        ("Slide", "pixel", "SHA-256"),
        codes=(2,),
    )
    settings = tuple(
        (name, _value(s["value"]), s["source"])
        for name, s in source.settings.items()
        if s["value"] is not None
    )
    made = ", ".join(f"{name} {version}" for name, version in source.versions.items())
    said = f"Started {source.started}. {made}." + (f" {seal}" if seal else "")
    head = ("Setting", "value", "from")
    return (slides, *((Rows(settings, head),) if settings else ()), Text(said, "soft"))


def _value(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
