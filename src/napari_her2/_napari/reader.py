"""Open slides and cases in napari: dropped on the viewer, ``File → Open``, or ``napari slide.svs``.

Only the header is read here; pixels follow in the background. Ordinary pictures are declined, so that
napari's own reader or another plugin takes them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_her2._napari import layers
from napari_her2.errors import Her2Error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_her2._napari.layers import LayerData

    Reader = Callable[[Any], list[LayerData]]
    from napari_her2._napari.pyramid import TilePyramid
    from napari_her2.slides import Slide

__all__ = ["get_reader", "new_pyramid", "read_case_layers", "read_slides"]

VENDOR_SUFFIXES = (".svs", ".svslide", ".ndpi", ".mrxs", ".scn", ".bif", ".vms")
TIFF_SUFFIXES = (".tif", ".tiff", ".btf")
SLIDE_SIZED_PX = 8192
"""A TIFF without a pyramid is taken for a slide from this length on."""


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Return a reader for slides and cases, None for what is neither.

    Parameters
    ----------
    path : str or list of str
        One path, or several that were opened together.
    """
    paths = [Path(path)] if isinstance(path, str) else [Path(one) for one in path]
    if paths and all((one / "case.json").is_file() or _is_packed(one) for one in paths):
        return read_case_layers
    return read_slides if paths and all(is_slide(one) for one in paths) else None


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith(".her2.zip") and path.is_file()


def case_folder(path: Path) -> Path:
    """Return the folder of a case; a packed one is unpacked beside its file, once.

    Raises
    ------
    CaseError
        If the file is no packed case, or the folder holds something else.
    """
    if not _is_packed(path):
        return path
    from napari_her2.case import is_case, unpack_case

    folder = path.with_name(path.name[: -len(".her2.zip")])
    if not is_case(folder):
        unpack_case(path, folder)
    return folder


def is_slide(path: Path) -> bool:
    """Whether a file or folder is a whole slide that we read, judged by its header."""
    name = path.name.lower()
    if path.is_dir():
        return (name.endswith(".zarr") or _holds_dicom(path)) and _opens(path)
    if name.endswith(VENDOR_SUFFIXES):
        return path.is_file()
    return name.endswith((*TIFF_SUFFIXES, ".dcm")) and path.is_file() and _opens(path)


def _holds_dicom(folder: Path) -> bool:
    return next(folder.glob("*.dcm"), None) is not None


def _opens(path: Path) -> bool:
    from napari_her2.slides import open_slide

    try:
        with open_slide(path) as slide:
            return _is_whole_slide(slide)
    except Her2Error:
        return False


def _is_whole_slide(slide: Slide) -> bool:
    """Whether it is of a scanner's format, has a stored pyramid, or is too large for a picture."""
    if slide.format in ("openslide", "dicom"):
        return True
    stored = sum(level.stored for level in slide.levels)
    return slide.format != "field" and (stored > 1 or max(slide.shape) >= SLIDE_SIZED_PX)


def new_pyramid(source: Any) -> TilePyramid:
    """Wrap a source for the screen; progressive where a window is open, exact everywhere else."""
    from napari_her2._napari.pyramid import TilePyramid
    from napari_her2._napari.tiles import TileCache, TileLoader

    if "qtpy" in sys.modules:
        from napari_her2._napari.worker import refresher, window_open

        window = refresher() if window_open() else None
        if window is not None:
            return TilePyramid(source, window.loader, live=True)
    return TilePyramid(source, TileLoader(TileCache(256 << 20)))


def read_slides(path: str | Sequence[str]) -> list[LayerData]:
    """Return one multiscale layer per slide, in µm where the slide states its pixel size.

    Raises
    ------
    SlideError
        If a file cannot be used as a slide.
    """
    from napari_her2._napari.sources import SlideSource
    from napari_her2.slides import open_slide

    found = []
    for one in [path] if isinstance(path, str) else path:
        slide = open_slide(one)
        um_per_px = slide.um_per_px if slide.has_um_per_px else None
        about = {
            "napari_her2": {"path": str(slide.path), "um_per_px": um_per_px, "objective": slide.objective}
        }
        found.append(
            layers.slide_layer(new_pyramid(SlideSource(slide)), slide.name, um_per_px, metadata=about)
        )
    return found


def read_case_layers(path: str | Sequence[str]) -> list[LayerData]:
    """Return the layers of a finished case: its slides as far as they are found, heat map, outline, cells.

    Raises
    ------
    CaseError
        If the folder is no finished case.
    """
    from napari_her2._napari.blind import SHOWN_BLIND, is_blind
    from napari_her2._napari.case_view import load_case
    from napari_her2._napari.preferences import preferences
    from napari_her2._napari.static import case_layers
    from napari_her2.events import drain

    found = []
    for one in [path] if isinstance(path, str) else path:
        chosen, folder = preferences(), case_folder(Path(one))
        shown = case_layers(drain(load_case(folder, cell_limit=chosen.cell_limit)), new_pyramid)
        if is_blind(folder, chosen.reader, wanted=chosen.blind_first):
            shown = [entry for entry in shown if _key(entry) in SHOWN_BLIND]
        found += shown
    if "qtpy" in sys.modules:
        from napari_her2._napari.worker import open_panel_soon

        open_panel_soon()
    return found


def _key(entry: LayerData) -> str:
    return str(entry[1]["metadata"]["napari_her2"]["key"])
