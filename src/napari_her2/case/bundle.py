"""The folder of a case: where each file lies, what it must hold, and how it opens again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from napari_her2.case.report import Report, report_from_json
from napari_her2.case.tables import PatchTable, read_cells, read_patches
from napari_her2.errors import CaseError
from napari_her2.store import Multiscale, read_json, read_multiscale, sha256_of, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_her2.cells import CellTable
    from napari_her2.mapping import SlideMapping

__all__ = ["CASE_SCHEMA", "CaseBundle", "CaseFiles", "CaseSlide", "is_case", "read_case", "seal"]

CASE_SCHEMA: Final = "napari-her2/case/1"
RasterName = Literal["tumour", "her2", "segmentation", "mapping_error"]
SlideRole = Literal["he", "ihc", "ish", "control"]


@dataclass(frozen=True, slots=True)
class CaseFiles:
    """Names inside a case's folder."""

    folder: Path

    @property
    def manifest(self) -> Path:
        """``case.json``: slides and hashes."""
        return self.folder / "case.json"

    @property
    def report(self) -> Path:
        """``report.json``: there only when the case is finished."""
        return self.folder / "report.json"

    @property
    def page(self) -> Path:
        """``report.html``: the page for people."""
        return self.folder / "report.html"

    @property
    def run(self) -> Path:
        """``run.json``: plan and times."""
        return self.folder / "run.json"

    @property
    def mapping(self) -> Path:
        """``mapping.json``: H&E ↔ IHC; its field lies beside it."""
        return self.folder / "mapping.json"

    @property
    def cells(self) -> Path:
        """``cells.parquet``."""
        return self.folder / "cells.parquet"

    @property
    def unjudged(self) -> Path:
        """``cells_unjudged.parquet``: the cells before verdicts on single ones; only where there are some."""
        return self.folder / "cells_unjudged.parquet"

    @property
    def patches(self) -> Path:
        """``patches.parquet``."""
        return self.folder / "patches.parquet"

    @property
    def annotations(self) -> Path:
        """``annotations.geojson``: tumour areas and pieces."""
        return self.folder / "annotations.geojson"

    @property
    def edits(self) -> Path:
        """What people drew and painted: areas and masks by slide; no run writes or withdraws it."""
        return self.folder / "edits"

    def drawn(self, slide: str) -> Path:
        """Areas that people drew or imported on a slide."""
        return self.edits / f"{slide}_areas.jsonl"

    @property
    def review(self) -> Path:
        """``review.jsonl``: edits and overrides; only ever appended to."""
        return self.folder / "review.jsonl"

    @property
    def inputs(self) -> Path:
        """Copies of the files among the settings (drawn area, landmarks), so that a run can be repeated."""
        return self.folder / "inputs"

    @property
    def stages(self) -> Path:
        """Finished stages of a run."""
        return self.folder / ".stages"

    @property
    def rasters(self) -> Path:
        """Folder of the rasters."""
        return self.folder / "rasters"

    def raster(self, name: RasterName) -> Path:
        """Return the folder of a raster."""
        return self.rasters / f"{name}.zarr"

    def results(self) -> list[Path]:
        """Return the files a run writes, the report first: the order in which they are withdrawn."""
        field = [*self.folder.glob("mapping.field.*")] if self.folder.is_dir() else []
        first = [self.report, self.page, self.manifest, self.run, self.mapping, *field]
        return [*first, self.cells, self.unjudged, self.patches, self.annotations]


@dataclass(frozen=True, slots=True)
class CaseSlide:
    """A slide of a case by role and content.

    Attributes
    ----------
    role : str
    name : str
        File name only: a case may be handed on, folders may name people.
    sha256 : str
    um_per_px : float
    """

    role: SlideRole
    name: str
    sha256: str
    um_per_px: float


@dataclass(frozen=True, slots=True, eq=False)
class CaseBundle:
    """A finished case, opened for reading; tables and rasters are read when they are asked for."""

    files: CaseFiles
    report: Report
    slides: tuple[CaseSlide, ...]

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.files.folder

    @property
    def has_mapping(self) -> bool:
        """Whether it has an H&E slide that was brought together with the IHC."""
        return self.files.mapping.is_file()

    def slide(self, role: SlideRole) -> CaseSlide | None:
        """Return the slide of a role, if the case has one."""
        return next((slide for slide in self.slides if slide.role == role), None)

    def cells(self) -> CellTable:
        """Read the cells as they count, with the corrections that the run knew."""
        return read_cells(self.files.cells)

    def unjudged_cells(self) -> CellTable:
        """Read the cells as they were before verdicts on single ones were laid on them."""
        path = self.files.unjudged
        return read_cells(path if path.is_file() else self.files.cells)

    def patches(self) -> PatchTable:
        """Read the patches."""
        return read_patches(self.files.patches)

    def mapping(self) -> SlideMapping | None:
        """Read the mapping, if the case has one."""
        from napari_her2.mapping import SlideMapping

        return SlideMapping.load(self.files.mapping) if self.has_mapping else None

    def raster(self, name: RasterName) -> Multiscale | None:
        """Open a raster lazily, if the case has it; its metadata name the slide it lies on."""
        path = self.files.raster(name)
        return read_multiscale(path) if path.is_dir() else None


def is_case(path: Path) -> bool:
    """Whether a folder is a finished case."""
    files = CaseFiles(path)
    return files.manifest.is_file() and files.report.is_file()


def read_case(path: Path) -> CaseBundle:
    """Open a finished case.

    Raises
    ------
    CaseError
        If the folder is none, is unfinished, or its files are damaged.
    """
    files = CaseFiles(Path(path))
    if not is_case(files.folder):
        why = "its run has not finished" if files.stages.is_dir() else "it has no case.json and report.json"
        raise CaseError(f"{files.folder.name} is not a finished case ({why}): run `score` into it")
    manifest = read_json(files.manifest)
    try:
        if manifest["schema"] != CASE_SCHEMA:
            raise CaseError(
                f"case.json has the schema {manifest['schema']!r}, this version reads {CASE_SCHEMA!r}"
            )
        slides = tuple(CaseSlide(**slide) for slide in manifest["slides"])
    except (KeyError, TypeError) as error:
        raise CaseError(f"case.json of {files.folder.name} is damaged: run `score` again") from error
    return CaseBundle(files, report_from_json(files.report.read_bytes()), slides)


def seal(
    files: CaseFiles, slides: Sequence[CaseSlide], *, settings: Mapping[str, Any], others: Mapping[str, str]
) -> None:
    """Write ``case.json``: the slides and the hash of every result.

    Parameters
    ----------
    files : CaseFiles
        The case's folder; its results are hashed as they are.
    slides : sequence of CaseSlide
        By role.
    settings : mapping
        What was entered for this case and goes before preferences when it is scored again.
    others : mapping of name to SHA-256
        Results that are written after the manifest.
    """
    results = [
        path for path in files.results() if path.exists() and path not in (files.report, files.manifest)
    ]
    rasters = sorted(files.rasters.glob("*.zarr"))
    inputs = sorted(files.inputs.glob("*"))
    named = (*results, *rasters, *inputs)
    hashes = {p.relative_to(files.folder).as_posix(): sha256_of(p) for p in named}
    manifest = {
        "schema": CASE_SCHEMA,
        "slides": [
            {"role": s.role, "name": s.name, "sha256": s.sha256, "um_per_px": s.um_per_px} for s in slides
        ],
        "settings": dict(settings),
        "files": dict(sorted({**hashes, **others}.items())),
    }
    write_json(files.manifest, manifest)
