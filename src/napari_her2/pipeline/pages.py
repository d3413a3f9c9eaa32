"""The page of a finished case, for people: HTML or PDF, made from what the case holds and its slides."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_her2.case import find_slide, verify_case
from napari_her2.exchange import areas_on
from napari_her2.pipeline.fields import choose_fields, field_pictures
from napari_her2.report import PageParts, Picture, draw_labels, draw_outlines, render_page, render_pdf
from napari_her2.review import ReviewLog
from napari_her2.store import write_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.case import CaseBundle
    from napari_her2.case.bundle import RasterName, SlideRole
    from napari_her2.slides import Slide

__all__ = ["PAGES", "label_picture", "outlined_picture", "page_parts", "write_case_page"]

PAGES: Final = ("html", "pdf")
THUMBNAIL_PX: Final = 900
ROLES: Final[tuple[SlideRole, ...]] = ("he", "ihc")
TITLES: Final[dict[RasterName, tuple[str, str]]] = {
    "her2": ("HER2 classes", "Evaluable tumour cells by class."),
    "segmentation": ("HER2 pixels", "Pixels where cells count, as a model sees them."),
}


def write_case_page(bundle: CaseBundle, out: Path, kind: Literal["html", "pdf"]) -> dict[str, Any]:
    """Write the page of a finished case.

    Returns
    -------
    dict
        How many pictures it has; none where the slides cannot be found.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    parts = page_parts(bundle)
    if kind == "pdf":
        write_bytes(out, render_pdf(bundle.report, parts))
    else:
        write_bytes(out, render_page(bundle.report, parts=parts).encode("utf-8"))
    return {"maps": len(parts.maps), "fields": len(parts.fields), "edits": len(parts.edits)}


def page_parts(bundle: CaseBundle) -> PageParts:
    """Return pictures, edits and seal of a finished case; without its slides there are no pictures."""
    maps, fields = [], []
    with ExitStack() as open_slides:
        slides = {role: slide for role in ROLES if (slide := _opened(bundle, role, open_slides)) is not None}
        if "ihc" in slides:
            maps = _maps(bundle, slides)
            cells, ihc = bundle.cells(), slides["ihc"]
            chosen = choose_fields(cells, ihc.um_per_px, ihc.shape)
            fields = field_pictures(chosen, ihc, slides.get("he"), bundle.mapping())
    return PageParts(
        maps=maps, fields=fields, edits=ReviewLog(bundle.files.review).entries, seal=_seal(bundle)
    )


def _opened(bundle: CaseBundle, role: SlideRole, stack: ExitStack) -> Slide | None:
    from napari_her2.slides import open_slide

    facts = bundle.slide(role)
    path = find_slide(facts, bundle.folder) if facts else None
    if facts is None or path is None:
        return None
    return stack.enter_context(open_slide(path, um_per_px=facts.um_per_px))


def _seal(bundle: CaseBundle) -> str:
    check = verify_case(bundle, slides=False)
    if check.sealed_at is None:
        return ""
    by = f" by {check.sealed_by}" if check.sealed_by else ""
    state = "unchanged since" if check.intact else "changed since: see `case verify`"
    return f"Sealed{by} at {check.sealed_at}, {state}; seal {check.seal}."


def _maps(bundle: CaseBundle, slides: Mapping[SlideRole, Slide]) -> list[Picture]:
    rings = {
        role: [
            ring
            for area in areas_on(bundle.files, role)
            if area.name == "Tumor"
            for ring in (area.outline, *area.holes)
        ]
        for role in slides
    }
    found = []
    if "he" in slides:
        picture = outlined_picture(slides["he"], rings["he"])
        found.append(Picture("H&E", "The tumour area is outlined.", picture))
    ihc = slides["ihc"]
    picture = outlined_picture(ihc, rings["ihc"])
    found.append(Picture("HER2 IHC", "As scanned; the tumour area is outlined if known.", picture))
    for name, (title, caption) in TITLES.items():
        raster = bundle.raster(name)
        if raster is not None:
            found.append(Picture(title, caption, label_picture(ihc, raster.levels)))
    return found


def _tumour_rings(bundle: CaseBundle, role: str) -> list[NDArray[np.float64]]:
    areas = [area for area in areas_on(bundle.files, role) if area.name == "Tumor"]
    return [ring for area in areas for ring in (area.outline, *area.holes)]


def outlined_picture(slide: Slide, rings: list[NDArray[np.float64]]) -> NDArray[np.uint8]:
    """Return the slide small, with rings in level-0 pixels drawn on it."""
    thumbnail = slide.thumbnail(THUMBNAIL_PX)
    scale = np.asarray(thumbnail.shape[:2]) / np.asarray(slide.shape)
    return draw_outlines(thumbnail, [ring * scale for ring in rings])


def label_picture(slide: Slide, levels: tuple[Any, ...]) -> NDArray[np.uint8]:
    """Return the slide small and paled, with the classes of a raster over it."""
    thumbnail = slide.thumbnail(THUMBNAIL_PX)
    fine = [level for level in levels if max(level.shape) >= max(thumbnail.shape[:2])]
    labels = np.asarray((fine or levels)[-1 if fine else 0][:], np.uint8)
    paled = (255 - (255 - thumbnail.astype(np.uint16)) // 2).astype(np.uint8)
    return draw_labels(paled, labels)
