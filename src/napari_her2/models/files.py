"""What a weights file is, looked at from outside: no byte of it is executed or unpickled here."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Final, Literal

from napari_her2.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.models.spec import ModelSpec

__all__ = ["FileKind", "beside", "check_hash", "check_kind", "kind_of"]

FileKind = Literal["safetensors", "state", "torchscript", "pickle", "onnx", "unknown"]

KINDS: Final[dict[str, tuple[FileKind, ...]]] = {
    "timm": ("safetensors", "state"),
    "maskformer": ("safetensors", "state"),
    "torchscript": ("torchscript",),
    "onnx": ("onnx",),
}
"""What each adapter can read."""
SAY: Final[dict[FileKind, str]] = {
    "safetensors": "a safetensors file",
    "state": "a torch file with a state dict",
    "torchscript": "a TorchScript archive",
    "pickle": "a pickle, which can run code of its maker when it is opened",
    "onnx": "an ONNX graph",
    "unknown": "no file of weights that is known here",
}
LONGEST_HEADER: Final = 100_000_000  # what the safetensors format allows


def kind_of(path: Path) -> FileKind:
    """Tell by its first bytes what a file is; its name decides only for ONNX, which has no mark."""
    with path.open("rb") as file:
        head = file.read(16)
    if head[:2] == b"PK":
        return _of_zip(path)
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= LONGEST_HEADER:
        return "safetensors"
    if head[:1] == b"\x80":
        return "pickle"
    return "onnx" if path.suffix.lower() == ".onnx" else "unknown"


def _of_zip(path: Path) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return "unknown"
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
        return "torchscript"
    return "state" if any(name.endswith("/data.pkl") for name in names) else "unknown"


def beside(spec_folder: Path, name: str) -> Path:
    """Path of a file that a spec names, which must really lie in the spec's folder.

    Raises
    ------
    ModelError
        If it is missing, no file, or a link that leads elsewhere.
    """
    path = spec_folder / name
    if not path.is_file():
        raise ModelError(f"{name} is not beside its spec: put it there, or add the model again")
    if path.resolve().parent != spec_folder.resolve():
        raise ModelError(f"{name} is a link to another folder: put the file itself beside its spec")
    return path


def check_hash(path: Path, sha256: str) -> None:
    """Compare a file with the hash that is stated for it.

    Raises
    ------
    ModelError
        If they differ.
    """
    from napari_her2.store import sha256_of

    try:
        found = sha256_of(path)
    except OSError as error:
        raise ModelError(
            f"{path.name} cannot be read ({error.strerror or error}): check its rights"
        ) from error
    if found != sha256:
        raise ModelError(
            f"{path.name} is not the file its spec was made for (sha256 {found[:12]}..., stated "
            f"{sha256[:12]}...): get it again from its source"
        )


def check_kind(path: Path, spec: ModelSpec) -> FileKind:
    """See that a file is of a kind that the spec's adapter can read.

    Raises
    ------
    ModelError
        If not; pickles always.
    """
    kind = kind_of(path)
    if kind not in KINDS[spec.adapter.kind]:
        wanted = " or ".join(SAY[k] for k in KINDS[spec.adapter.kind])
        raise ModelError(
            f"{path.name} is {SAY[kind]}, but a {spec.adapter.kind} model needs {wanted}: save the weights "
            "again in that form"
        )
    return kind
