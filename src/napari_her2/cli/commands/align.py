"""``align``: an H&E and an IHC slide brought together."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_her2.cli.console import Answer, follow
from napari_her2.errors import OutputError
from napari_her2.exchange import write_csv
from napari_her2.mapping import (
    ChosenPatches,
    Landmarks,
    MappingSettings,
    SlideMapping,
    leave_one_out_um,
    pair_table,
    read_landmarks,
    refit,
    register,
)
from napari_her2.patches import PatchGrid
from napari_her2.pipeline import check_slides, patches_with_tissue
from napari_her2.slides import Slide, open_slide
from napari_her2.store import read_json, writable_folder
from napari_her2.tissue import find_tissue

if TYPE_CHECKING:
    import argparse

    from napari_her2.events import Steps
    from napari_her2.tissue import TissueMask

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
        for path in filter(None, (arguments.out, arguments.patches)):
            writable_folder(path.absolute().parent)
        _ = he.um_per_px, ihc.um_per_px  # a missing pixel size is told before any work
        flags = check_slides(ihc, he).flags
        landmarks = _landmarks(he, ihc, arguments)
        tissue = find_tissue(he), find_tissue(ihc)
        mapping = follow(_align(he, ihc, tissue, landmarks), quiet=arguments.json)
    mapping, told = _through(mapping, landmarks)
    mapping.save(arguments.out)
    if arguments.patches is not None:
        told |= _write_pairs(mapping, tissue, arguments)
    data = {"out": str(arguments.out), "flags": list(flags), **told, **read_json(arguments.out)}
    doubts = f"flags: {', '.join(flags)}\n" if flags else ""
    more = _landmark_words(told) + _patch_words(told)
    return Answer(data, f"{_words(mapping)}\n{more}{doubts}{arguments.out}")


def _words(mapping: SlideMapping) -> str:
    p50, p90 = mapping.residual_um_p50, mapping.residual_um_p90
    errors = f"{p50:.1f} µm in the median, {p90:.1f} µm in nine of ten places"
    review = " - NEEDS REVIEW" if mapping.needs_review else ""
    return f"{mapping.kind} mapping, estimated error {errors}{review}\n{mapping.reason}"


def _landmarks(he: Slide, ihc: Slide, arguments: argparse.Namespace) -> Landmarks | None:
    if arguments.landmarks is None:
        return None
    return read_landmarks(arguments.landmarks, he_shape=he.shape, ihc_shape=ihc.shape)


def _align(
    he: Slide, ihc: Slide, tissue: tuple[TissueMask, TissueMask], landmarks: Landmarks | None
) -> Steps[SlideMapping]:
    settings = MappingSettings(through_landmarks=False)
    return (yield from register(he, ihc, *tissue, landmarks=landmarks, settings=settings))


def _through(mapping: SlideMapping, landmarks: Landmarks | None) -> tuple[SlideMapping, dict[str, Any]]:
    """Bend the mapping through the landmarks; say how far each lies from where the others put it."""
    if landmarks is None:
        return mapping, {}
    left_out = [round(float(error), 2) for error in leave_one_out_um(mapping, landmarks)]
    return refit(mapping, landmarks), {"landmarks": {"count": len(landmarks), "leave_one_out_um": left_out}}


def _write_pairs(
    mapping: SlideMapping, tissue: tuple[TissueMask, TissueMask], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Write the pairs of patches with tissue; say how many there are."""
    grids = PatchGrid.he(mapping.he), PatchGrid.ihc(mapping.ihc)
    he, ihc = (
        ChosenPatches.of(grid, patches_with_tissue(grid, mask))
        for grid, mask in zip(grids, tissue, strict=True)
    )
    table = pair_table(mapping, he, ihc, arguments.matching)
    write_csv(arguments.patches, table)
    paired = int((table["weight"] > 0).sum())
    counts = {"pairs": paired, "without_partner": len(table["weight"]) - paired}
    return {"patches": {"out": str(arguments.patches), "matching": arguments.matching, **counts}}


def _patch_words(told: dict[str, Any]) -> str:
    if "patches" not in told:
        return ""
    table = told["patches"]
    pairs, alone, name = table["pairs"], table["without_partner"], Path(table["out"]).name
    return f"{pairs} pairs of patches ({table['matching']}), {alone} alone: {name}\n"


def _landmark_words(told: dict[str, Any]) -> str:
    if "landmarks" not in told:
        return ""
    left_out = told["landmarks"]["leave_one_out_um"]
    worst = max(range(len(left_out)), key=left_out.__getitem__)
    middle = sorted(left_out)[len(left_out) // 2]
    return (
        f"{len(left_out)} landmarks, left out one by one: {middle:.1f} µm off in the median, "
        f"at most {left_out[worst]:.1f} µm (pair {worst + 1})\n"
    )
