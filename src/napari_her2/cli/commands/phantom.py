"""``phantom``: a synthetic pair with its truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_her2.cli.console import Answer, follow
from napari_her2.phantom import PhantomSpec, parse_faults, render_phantom
from napari_her2.store import read_json, writable_folder

if TYPE_CHECKING:
    import argparse

__all__ = ["run"]

FIELDS: Final = {
    "seed": "seed",
    "score": "score",
    "mix": "mix",
    "size_um": "size_um",
    "rotate": "rotate_deg",
    "mirror": "mirror",
    "warp_um": "warp_um",
    "missing": "missing",
    "shrink": "shrink",
    "in_situ": "in_situ",
    "control": "control",
    "pen": "pen",
    "fold": "fold",
    "blur": "blur",
    "stain_seed": "stain_seed",
    "levels": "levels",
}
"""Option → field of the specification."""


def run(arguments: argparse.Namespace) -> Answer:
    """Render the pair that the options describe."""
    wishes: dict[str, Any] = {
        field: getattr(arguments, option)
        for option, field in FIELDS.items()
        if getattr(arguments, option) is not None
    }
    spec = PhantomSpec(**wishes, faults=parse_faults(arguments.fault))
    folder = writable_folder(arguments.out)
    follow(render_phantom(spec, folder), quiet=arguments.json)
    truth = read_json(folder / "truth.json")
    text = f"HER2 {truth['score']} phantom in {folder}"
    return Answer({"out": str(folder), **truth}, text)
