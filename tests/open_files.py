"""Which files this process has open, as Linux lists them."""

from __future__ import annotations

from pathlib import Path

import pytest

LISTED = Path("/proc/self/fd")
listed = pytest.mark.skipif(not LISTED.exists(), reason="open files are listed in /proc")


def open_files(under: Path) -> list[str]:
    """Return the files below a folder, or that file, that this process has open."""
    found = []
    for entry in LISTED.iterdir():
        try:
            target = entry.readlink()
        except OSError:  # the one that lists the folder itself
            continue
        if target.is_relative_to(under.resolve()):
            found.append(target.name)
    return found
