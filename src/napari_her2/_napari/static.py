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
    """Return the slides that are found, side by side, then heat map, outline and cells of the tumour."""
    pyramids = {place.role: (place, _pyramid(place, make_pyramid)) for place in view.slides if place.path}
    found = [_slide(view, role, *pyramids[role], pyramids) for role in ("ihc", "he") if role in pyramids]
    if view.tumour is not None:
        heat = make_pyramid(ArraySource(view.tumour.levels))
        found.append(_marked(view, "heat", data.heat_layer(heat, view.tumour.um_per_px, visible=False)))
    if view.outline:
        found.append(_marked(view, "outline", data.outline_layer(view.outline)))
    return [*found, _marked(view, "cells", data.cells_layer(view.cells))]


def _marked(view: CaseView, key: str, entry: LayerData) -> LayerData:
    """Note in the layer which case it belongs to, so that the panel can take it over."""
    about = {"napari_her2": {"case": str(view.folder), "key": key}}
    values, meta, kind = entry
    return values, {**meta, "metadata": {**meta.get("metadata", {}), **about}}, kind


def _pyramid(place: SlidePlace, make_pyramid: Callable[[Any], TilePyramid]) -> TilePyramid:
    from napari_her2.slides import open_slide

    return make_pyramid(SlideSource(open_slide(str(place.path))))


def _slide(
    view: CaseView, role: str, place: SlidePlace, pyramid: TilePyramid, all_of: dict[str, Any]
) -> LayerData:
    """Return one slide; the H&E stands left of the IHC, turned like it."""
    more: dict[str, Any] = {}
    if role == "he" and "ihc" in all_of:
        ihc_place, ihc = all_of["ihc"]
        mapping = view.he_to_ihc_um or Affine.identity()
        more["affine"] = he_place("side", _um(place, pyramid), _um(ihc_place, ihc), mapping).matrix
    name = f"{data.ROLE_NAMES[role]}  {place.name}"
    return _marked(view, role, data.slide_layer(pyramid, name, place.um_per_px, **more))


def _um(place: SlidePlace, pyramid: TilePyramid) -> tuple[float, float]:
    rows, cols = pyramid.levels[0].shape
    return rows * place.um_per_px, cols * place.um_per_px
