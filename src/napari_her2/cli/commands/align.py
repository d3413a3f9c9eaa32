"""``align``: an H&E and an IHC slide brought together."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from napari_her2.cli.console import Answer, follow
from napari_her2.errors import OutputError
from napari_her2.mapping import (
    Landmarks,
    MappingSettings,
    SlideMapping,
    leave_one_out_um,
    read_landmarks,
    refit,
    register,
)
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
        landmarks = _landmarks(he, ihc, arguments)
        mapping = follow(_align(he, ihc, landmarks), quiet=arguments.json)
    mapping, told = _through(mapping, landmarks)
    mapping.save(arguments.out)
    data = {"out": str(arguments.out), "flags": list(flags), **told, **read_json(arguments.out)}
    doubts = f"flags: {', '.join(flags)}\n" if flags else ""
    return Answer(data, f"{_words(mapping)}\n{_landmark_words(told)}{doubts}{arguments.out}")


def _words(mapping: SlideMapping) -> str:
    p50, p90 = mapping.residual_um_p50, mapping.residual_um_p90
    errors = f"{p50:.1f} µm in the median, {p90:.1f} µm in nine of ten places"
    review = " - NEEDS REVIEW" if mapping.needs_review else ""
    return f"{mapping.kind} mapping, estimated error {errors}{review}\n{mapping.reason}"


def _landmarks(he: Slide, ihc: Slide, arguments: argparse.Namespace) -> Landmarks | None:
    if arguments.landmarks is None:
        return None
    return read_landmarks(arguments.landmarks, he_shape=he.shape, ihc_shape=ihc.shape)


def _align(he: Slide, ihc: Slide, landmarks: Landmarks | None) -> Steps[SlideMapping]:
    tissue = find_tissue(he), find_tissue(ihc)
    settings = MappingSettings(through_landmarks=False)
    return (yield from register(he, ihc, *tissue, landmarks=landmarks, settings=settings))


def _through(mapping: SlideMapping, landmarks: Landmarks | None) -> tuple[SlideMapping, dict[str, Any]]:
    """Bend the mapping through the landmarks; say how far each lies from where the others put it."""
    if landmarks is None:
        return mapping, {}
    left_out = [round(float(error), 2) for error in leave_one_out_um(mapping, landmarks)]
    return refit(mapping, landmarks), {"landmarks": {"count": len(landmarks), "leave_one_out_um": left_out}}


def _landmark_words(told: dict[str, Any]) -> str:
    if not told:
        return ""
    left_out = told["landmarks"]["leave_one_out_um"]
    worst = max(range(len(left_out)), key=left_out.__getitem__)
    middle = sorted(left_out)[len(left_out) // 2]
    return (
        f"{len(left_out)} landmarks, left out one by one: {middle:.1f} µm off in the median, "
        f"at most {left_out[worst]:.1f} µm (pair {worst + 1})\n"
    )
