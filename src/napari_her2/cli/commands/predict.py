"""``predict``: one model over a slide or region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_her2.cli.console import Answer, follow
from napari_her2.geometry import Box
from napari_her2.inference import PlanWishes
from napari_her2.pipeline import PredictRequest, predict_slide

if TYPE_CHECKING:
    import argparse

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> Answer:
    """Run the model and write its result folder."""
    request = PredictRequest(
        slide=arguments.slide,
        model=arguments.model,
        out=arguments.out,
        um_per_px=arguments.um_per_px,
        device=arguments.device,
        wishes=PlanWishes(
            region=None if arguments.region is None else Box.from_xywh(*arguments.region),
            overlap=arguments.overlap,
            least_tissue=arguments.least_tissue,
            precision=arguments.precision,
            batch_size=arguments.batch_size,
            threads=arguments.threads,
        ),
    )
    record = follow(predict_slide(request), quiet=arguments.json)
    asked = record["asked"]
    counts = record.get("patches") or record["area_mm2"]
    said = ", ".join(f"{name} {value:g}" for name, value in counts.items())
    unit = "patches" if "patches" in record else "mm²"
    lines = [
        f"{asked['model']} on {asked['slide']}: {asked['patches']} patches on {asked['device']}",
        f"{unit}: {said}",
        *(["unlike the training data: look at the result"] if asked["unlike_training"] else []),
        str(arguments.out),
    ]
    return Answer({"out": str(arguments.out), **record}, "\n".join(lines))
