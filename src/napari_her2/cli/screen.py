"""A window where there is a display, else a picture of it under a virtual one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["has_display", "show"]

VIEWER: Final = "napari_her2._napari.demo_view"
PATIENCE_S: Final = 300


def has_display() -> bool:
    """Whether windows can be shown here."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show(case: Path, picture: Path) -> str | None:
    """Open napari on a case, or without a display write a picture of its window.

    Napari runs in a process of its own: a graphics driver that crashes takes nothing along.

    Returns
    -------
    str or None
        What is lacking, with its remedy, if neither was possible.
    """
    command = [sys.executable, "-m", VIEWER, str(case)]
    if has_display():
        return _run(command, dict(os.environ), None)
    if shutil.which("Xvfb") is None:
        return "there is no display and no Xvfb: apt-get install -y xvfb"
    with _virtual_display() as display:
        if display is None:
            return "Xvfb did not start: run `napari-her2 doctor`"
        software = {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "LIBGL_ALWAYS_SOFTWARE": "1"}
        return _run([*command, "--screenshot", str(picture)], {**os.environ, **software}, PATIENCE_S)


def _run(command: list[str], environment: dict[str, str], patience_s: float | None) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603
            command, env=environment, capture_output=True, text=True, timeout=patience_s, check=False
        )
    except subprocess.TimeoutExpired:
        return f"napari did not finish within {PATIENCE_S} s: run `napari-her2 doctor`"
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    why = lines[-1][:200] if lines else f"it ended with {done.returncode}"
    return f"napari could not be opened ({why}): run `napari-her2 doctor`"


@contextmanager
def _virtual_display() -> Iterator[str | None]:
    """Run Xvfb on a free display, which it chooses and names itself."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    with subprocess.Popen(  # noqa: S603
        command, pass_fds=(writing,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        os.close(writing)
        try:
            with os.fdopen(reading) as answer:
                number = answer.readline().strip()  # empty if the server died
            yield f":{number}" if number else None
        finally:
            server.terminate()
