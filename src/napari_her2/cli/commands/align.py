"""``align``: an H&E and an IHC slide brought together."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from napari_her2.cli.console import Answer, follow
from napari_her2.errors import OutputError
from napari_her2.mapping import SlideMapping, read_landmarks, register
from napari_her2.pipeline import check_slides
from napari_her2.slides import Slide, open_slide
from napari_her2.store import read_json, writable_folder
from napari_her2.tissue import find_tissue

if TYPE_CHECKING:
    import argparse

    from napari_her2.events import Steps

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> Answer:
    """Register the pair and write the mapping."""
    if arguments.out.is_dir():
        raise OutputError(f"{arguments.out.name} is a folder: give the name of a JSON file with --out")
    with ExitStack() as open_files:
        he, ihc = (
            open_files.enter_context(open_slide(path, um_per_px=um_per_px, option=option))
            for path, um_per_px, option in (
                (arguments.he, arguments.um_per_px_he, "--um-per-px-he"),
                (arguments.ihc, arguments.um_per_px_ihc, "--um-per-px-ihc"),
            )
        )
        writable_folder(arguments.out.absolute().parent)
        _ = he.um_per_px, ihc.um_per_px  # a missing pixel size is told before any work
        flags = check_slides(ihc, he).flags
        mapping = follow(_align(he, ihc, arguments), quiet=arguments.json)
    mapping.save(arguments.out)
    data = {"out": str(arguments.out), "flags": list(flags), **read_json(arguments.out)}
    doubts = f"flags: {', '.join(flags)}\n" if flags else ""
    return Answer(data, f"{_words(mapping)}\n{doubts}{arguments.out}")


def _words(mapping: SlideMapping) -> str:
    p50, p90 = mapping.residual_um_p50, mapping.residual_um_p90
    errors = f"{p50:.1f} µm in the median, {p90:.1f} µm in nine of ten places"
    review = " - NEEDS REVIEW" if mapping.needs_review else ""
    return f"{mapping.kind} mapping, estimated error {errors}{review}\n{mapping.reason}"


def _align(he: Slide, ihc: Slide, arguments: argparse.Namespace) -> Steps[SlideMapping]:
    landmarks = None
    if arguments.landmarks is not None:
        landmarks = read_landmarks(arguments.landmarks, he_shape=he.shape, ihc_shape=ihc.shape)
    he_tissue = find_tissue(he)
    ihc_tissue = find_tissue(ihc)
    return (yield from register(he, ihc, he_tissue, ihc_tissue, landmarks=landmarks))
