"""``mapping.json`` and the field beside it (contracts, section 7).

The field is a compressed ``.npz`` without pickled objects: the velocity and the trust map, float32.
Its hash stands in the JSON, so that a field of another run is noticed.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from napari_her2.errors import MappingError
from napari_her2.geometry import Affine
from napari_her2.mapping.flow import Flow
from napari_her2.mapping.frame import Lattice, SlideFrame
from napari_her2.mapping.slide_mapping import MappingQuality, SlideMapping
from napari_her2.store import write_bytes, write_json

__all__ = ["SCHEMA", "load_mapping", "save_mapping"]

SCHEMA = "napari-her2/mapping/1"


def save_mapping(mapping: SlideMapping, path: str | Path) -> None:
    """Write a mapping: the field first, then the JSON, each by rename.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    target = Path(path)
    field = _field_bytes(mapping)
    name = f"{target.stem}.field.npz"
    write_bytes(target.parent / name, field)
    write_json(target, _as_json(mapping, name, _digest(field)))


def load_mapping(path: str | Path) -> SlideMapping:
    """Read a mapping that :func:`save_mapping` wrote.

    Raises
    ------
    MappingError
        If the file or its field is missing, damaged, or of another kind.
    """
    source = Path(path)
    stored = _read_json(source)
    try:
        field = _read_field(source, str(stored["field"]), str(stored["field_sha256"]))
        return _from_json(stored, field)
    except (KeyError, TypeError, ValueError, IndexError) as exc:
        raise MappingError(
            f"{source.name} is not a complete mapping ({type(exc).__name__}: {exc}): run align again"
        ) from exc


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _as_json(mapping: SlideMapping, field: str, digest: str) -> dict[str, Any]:
    frames = {
        side: {"shape": list(frame.shape), "um_per_px": frame.um_per_px}
        for side, frame in (("he", mapping.he), ("ihc", mapping.ihc))
    }
    return {
        "schema": SCHEMA,
        **mapping.report(),
        "mirrored": mapping.mirrored,
        **frames,
        "affine_um": mapping.affine_um.matrix.tolist(),
        "trust": _nodes(mapping.trust),
        "flow": None if mapping.flow is None else _nodes(mapping.flow.velocity),
        "field": field,
        "field_sha256": digest,
    }


def _nodes(lattice: Lattice) -> dict[str, Any]:
    return {"origin_um": list(lattice.origin_um), "spacing_um": lattice.spacing_um}


def _field_bytes(mapping: SlideMapping) -> bytes:
    arrays = {"trust": mapping.trust.values.astype(np.float32)}
    if mapping.flow is not None:
        arrays["velocity"] = mapping.flow.velocity.values.astype(np.float32)
    sink = io.BytesIO()
    # not np.savez: its zip members carry the time of writing, and equal mappings must be equal files
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED)
    return sink.getvalue()


def _read_json(source: Path) -> dict[str, Any]:
    try:
        stored = json.loads(source.read_text(encoding="utf-8"))
    except OSError as exc:
        raise MappingError(f"{source.name} cannot be read ({exc.strerror}): give a mapping of align") from exc
    except ValueError as exc:
        raise MappingError(f"{source.name} is not JSON: give a mapping.json that align wrote") from exc
    schema = stored.get("schema") if isinstance(stored, dict) else None
    if schema != SCHEMA:
        raise MappingError(f"{source.name} has the schema {schema!r}, not {SCHEMA!r}: run align again")
    return dict(stored)


def _read_field(source: Path, name: str, digest: str) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    if Path(name).name != name:
        raise MappingError(f"{source.name} names its field with a folder ({name}): run align again")
    try:
        data = (source.parent / name).read_bytes()
    except OSError as exc:
        raise MappingError(f"{name} is missing beside {source.name}: keep the two together") from exc
    if _digest(data) != digest:
        raise MappingError(
            f"{name} does not belong to {source.name}: keep the two together or run align again"
        )
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile) as exc:
        raise MappingError(f"{name} is damaged: run align again") from exc


def _from_json(stored: dict[str, Any], field: dict[str, np.ndarray[Any, np.dtype[Any]]]) -> SlideMapping:
    names = MappingQuality.__dataclass_fields__
    flow = stored["flow"]
    return SlideMapping(
        he=_frame(stored["he"]),
        ihc=_frame(stored["ihc"]),
        affine_um=Affine.from_matrix(stored["affine_um"]),
        flow=None if flow is None else Flow.of(_lattice(flow, field["velocity"])),
        trust=_lattice(stored["trust"], field["trust"]),
        quality=MappingQuality(**{name: stored[name] for name in names}),
    )


def _frame(stored: dict[str, Any]) -> SlideFrame:
    rows, cols = stored["shape"]
    return SlideFrame((int(rows), int(cols)), float(stored["um_per_px"]))


def _lattice(stored: dict[str, Any], values: np.ndarray[Any, np.dtype[Any]]) -> Lattice:
    row, col = stored["origin_um"]
    if values.ndim != 3 or values.shape[2] != 2 or not np.isfinite(values).all():
        raise ValueError(f"a field of shape {values.shape} with numbers that are not all finite")
    return Lattice(values.astype(np.float64), (float(row), float(col)), float(stored["spacing_um"]))
