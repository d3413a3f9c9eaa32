"""Pictures of patches and where their classes stand: sub-folders, or a table patch,case,label."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["in_sub_folders", "in_table", "read_picture"]

SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})
COLUMNS: Final = ("patch", "case", "label")


def in_sub_folders(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """List path, case and label: one sub-folder per class; the case stands before the first ``_``."""
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() in SUFFIXES:
            yield path, path.stem.partition("_")[0], path.parent.name


def in_table(table: Path, folder: Path) -> Iterator[tuple[Path, str, str]]:
    """List path, case and label of a table whose paths start at ``folder``.

    Raises
    ------
    UsageError
        If it is no such table, or a row lacks something.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not set(reader.fieldnames or ()) >= set(COLUMNS):
                raise UsageError(f"{table.name} lacks columns: it needs {','.join(COLUMNS)}")
            rows = [tuple(row[name] or "" for name in COLUMNS) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{table.name} cannot be read as CSV: correct the table or its path") from error
    for line, (patch, case, label) in enumerate(rows, 2):
        if not (patch and case and label):
            raise UsageError(
                f"{table.name} has a row without patch, case or label (line {line}): "
                "every patch needs all three"
            )
        yield folder / patch, case, label


def read_picture(path: Path, size_px: int) -> NDArray[np.uint8]:
    """Read a picture of ``size_px`` x ``size_px``, (size_px, size_px, 3).

    Raises
    ------
    UsageError
        If it is none, or of another size.
    """
    import cv2

    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread knows no names beyond ASCII on some systems
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read ({error.strerror}): correct the data") from error
    found = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if found is None:
        raise UsageError(f"{path.name} is no picture that can be read: leave it out or convert it to PNG")
    if found.shape[:2] != (size_px, size_px):
        raise UsageError(
            f"{path.name} has {found.shape[1]} x {found.shape[0]} px, the model sees {size_px} x {size_px}: "
            "cut the patches to that size at the model's µm/px"
        )
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB))
