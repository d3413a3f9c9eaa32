"""Values of this program ↔ one ``.npz`` file: numbers and arrays only, nothing that could run."""

from __future__ import annotations

import dataclasses
import importlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.store import write_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["pack", "unpack"]

_OURS: Final = "napari_her2."
_TREE: Final = "tree"


def pack(path: Path, value: Any) -> None:
    """Write a value: None, numbers, text, arrays, tuples, lists, dicts and our frozen dataclasses.

    Raises
    ------
    TypeError
        If it holds anything else.
    OutputError
        If the file cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {}
    tree = json.dumps(_plain(value, arrays))
    arrays[_TREE] = np.frombuffer(tree.encode("utf-8"), np.uint8)
    buffer = io.BytesIO()
    named: dict[str, Any] = arrays
    np.savez(buffer, **named)
    write_bytes(path, buffer.getvalue())


def unpack(path: Path) -> Any:
    """Read a value that :func:`pack` wrote.

    Raises
    ------
    CaseError
        If the file is missing, damaged, or of another version of the program.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            tree = json.loads(bytes(arrays[_TREE]).decode("utf-8"))
            return _value(tree, arrays)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        ImportError,
        zipfile.BadZipFile,
    ) as error:
        raise CaseError(f"the stored stage {path.name} cannot be used: run again with --restart") from error


def _plain(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """Return JSON in which arrays are names and dataclasses carry their class."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufcU":
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [_plain(part, arrays) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[_plain(k, arrays), _plain(v, arrays)] for k, v in value.items()]}
    if dataclasses.is_dataclass(value) and type(value).__module__.startswith(_OURS):
        parts = {f.name: _plain(getattr(value, f.name), arrays) for f in dataclasses.fields(value) if f.init}
        return {"class": f"{type(value).__module__}:{type(value).__qualname__}", "fields": parts}
    raise TypeError(f"a stage cannot store a {type(value).__name__}")


def _value(tree: Any, arrays: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays[tree["array"]]
    if "class" in tree:
        return _ours(tree["class"])(**{k: _value(v, arrays) for k, v in tree["fields"].items()})
    if "dict" in tree:
        return {_value(k, arrays): _value(v, arrays) for k, v in tree["dict"]}
    if "tuple" in tree:
        return tuple(_value(part, arrays) for part in tree["tuple"])
    return [_value(part, arrays) for part in tree["list"]]


def _ours(name: str) -> Any:
    """Return one of our dataclasses by name; nothing else may be built from a file."""
    module, _, qualname = name.partition(":")
    if not module.startswith(_OURS):
        raise ValueError(f"{name} is not a class of this program")
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise TypeError(f"{name} is not a value of this program")
    return found
