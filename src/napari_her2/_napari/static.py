"""A finished case as plain layer data: what the reader hands to napari, without a panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_her2._napari import layers as data
from napari_her2._napari.placing import he_place
from napari_her2._napari.sources import ArraySource, SlideSource
from napari_her2.geometry import Affine

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_her2._napari.case_view import CaseView, SlidePlace
    from napari_her2._napari.layers import LayerData
    from napari_her2._napari.pyramid import TilePyramid

__all__ = ["case_layers"]


def case_layers(view: CaseView, make_pyramid: Callable[[Any], TilePyramid]) -> list[LayerData]:
    """Return the slides that are found, side by side, then heat map, outlines and cells of the tumour."""
    pyramids = {place.role: (place, _pyramid(place, make_pyramid)) for place in view.slides if place.path}
    on_he = _he_affine(view, pyramids)
    found: list[tuple[str, str, LayerData]] = []
    for role in ("ihc", "he"):
        if role in pyramids:
            place, pyramid = pyramids[role]
            name = f"{data.ROLE_NAMES[role]}  {place.name}"
            found.append((role, role, data.slide_layer(pyramid, name, place.um_per_px)))
    if view.tumour is not None:
        heat = make_pyramid(ArraySource(view.tumour.levels))
        found.append(("heat", view.tumour_role, data.heat_layer(heat, view.tumour.um_per_px, visible=False)))
    for key, role in (("outline_he", "he"), ("outline", "ihc")):
        if view.outlines.get(role):
            found.append((key, role, data.outline_layer(view.outlines[role], role)))
    found.append(("cells", "ihc", data.cells_layer(view.cells)))
    return [_marked(view, key, entry, on_he if role == "he" else None) for key, role, entry in found]


def _he_affine(view: CaseView, pyramids: dict[str, tuple[SlidePlace, TilePyramid]]) -> Any:
    """Return where the H&E lies: left of the IHC, turned like it."""
    if "he" not in pyramids:
        return None
    ihc_um = _um(*pyramids["ihc"]) if "ihc" in pyramids else None
    return he_place("side", _um(*pyramids["he"]), ihc_um, view.he_to_ihc_um or Affine.identity()).matrix


def _marked(view: CaseView, key: str, entry: LayerData, affine: Any) -> LayerData:
    """Note in the layer which case it belongs to, so that the panel can take it over."""
    about = {"napari_her2": {"case": str(view.folder), "key": key}}
    values, meta, kind = entry
    more = {} if affine is None else {"affine": affine}
    return values, {**meta, **more, "metadata": {**meta.get("metadata", {}), **about}}, kind


def _pyramid(place: SlidePlace, make_pyramid: Callable[[Any], TilePyramid]) -> TilePyramid:
    from napari_her2.slides import open_slide

    return make_pyramid(SlideSource(open_slide(str(place.path))))


def _um(place: SlidePlace, pyramid: TilePyramid) -> tuple[float, float]:
    rows, cols = pyramid.levels[0].shape
    return rows * place.um_per_px, cols * place.um_per_px
