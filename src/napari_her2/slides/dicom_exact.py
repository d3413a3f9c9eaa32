"""DICOM slides that OpenSlide reads exactly; it starts in milliseconds where wsidicom takes a second.

OpenSlide joins and interpolates tiles where levels do not shrink by whole numbers, and leaves out what it
does not know (focal planes, several optical paths, sparse tiles): such slides stay with wsidicom.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from napari_her2.slides.openslide_source import OpenSlideSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["ExactDicomSource", "exact_dicom"]

SERIES: Final = "dicom.SeriesInstanceUID"
PLAIN: Final = {
    "dicom.DimensionOrganizationType": "TILED_FULL",
    "dicom.TotalPixelMatrixFocalPlanes": "1",
    "dicom.NumberOfOpticalPaths": "1",
    "dicom.SamplesPerPixel": "3",
    "dicom.BitsStored": "8",
}
"""What a slide must say of itself; one that is silent is not plain."""
WHOLE: Final = 1e-9


class ExactDicomSource(OpenSlideSource):
    """One series, all of whose tiles are stored and read as they are.

    Parameters
    ----------
    file : Path
        Any file of the series.
    name : str
        What to call the slide.
    files : sequence of Path
        All files of the series.
    """

    def __init__(self, file: Path, name: str, files: Sequence[Path]) -> None:
        super().__init__(file)
        self._name = name
        self.facts = replace(
            self.facts,
            format="dicom",
            vendor=_known(self.properties.get("dicom.Manufacturer")),
            name=name,
            files=tuple(files),
        )

    @property
    def exact(self) -> bool:
        """Whether every tile comes as it is stored."""
        plain = all(self.properties.get(name) == value for name, value in PLAIN.items())
        return plain and all(abs(factor - round(factor)) < WHOLE for factor in self._downsamples)


def exact_dicom(path: Path, files: Sequence[Path]) -> ExactDicomSource | None:
    """Open a DICOM slide through OpenSlide; None where that would not be exact, or not one slide.

    Parameters
    ----------
    path : Path
        As given: a folder, or one of its files.
    files : sequence of Path
        The DICOM files of the folder.
    """
    series = _series(files)
    if series is None:
        return None
    wanted = set(series.values()) if path.is_dir() else {series.get(path)}
    if len(wanted) != 1 or None in wanted:
        return None
    own = tuple(file for file in files if series[file] in wanted)
    alone = len(own) == len(files)
    name = path.name if path.is_dir() or not alone else path.resolve().parent.name
    source = ExactDicomSource(own[0], name, own)
    if source.exact:
        return source
    source.close()
    return None


def _series(files: Sequence[Path]) -> Mapping[Path, str] | None:
    """Series of each file; None where OpenSlide does not open one of them."""
    import openslide

    found = {}
    for file in files:
        try:
            with openslide.OpenSlide(str(file)) as slide:
                found[file] = slide.properties[SERIES]
        except (openslide.OpenSlideError, KeyError):
            return None
    return found


def _known(text: str | None) -> str | None:
    return None if text is None or text.strip().lower() in ("", "unknown") else text.strip()
