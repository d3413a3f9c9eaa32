"""Findings about this machine. Each check stands alone: what breaks in one is the finding.

Libraries that may crash a process (Qt, OpenGL, torch) are tried in a process of their own.
"""

from __future__ import annotations

import ctypes.util
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_her2 import __version__
from napari_her2.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Finding", "examine"]

PATIENCE_S: Final = 120
LINUX: Final = sys.platform.startswith("linux")
BINDINGS: Final = ("PySide6", "PyQt6", "PyQt5", "PySide2")
NO_QT: Final = "no Qt binding: windows cannot open"
APT_LIBRARIES: Final = {
    "GL": "libgl1",
    "EGL": "libegl1",
    "xkbcommon-x11": "libxkbcommon-x11-0",
    "xcb-cursor": "libxcb-cursor0",
    "xcb-icccm": "libxcb-icccm4",
    "xcb-keysyms": "libxcb-keysyms1",
    "dbus-1": "libdbus-1-3",
}
"""Shared libraries that Qt and OpenGL need on Linux, with the Debian package that holds each."""

TRY_GL: Final = """
from qtpy.QtGui import QGuiApplication, QOffscreenSurface, QOpenGLContext
app = QGuiApplication([])
surface = QOffscreenSurface(); surface.create()
context = QOpenGLContext()
print(app.platformName() if context.create() and context.makeCurrent(surface) else "")
"""
TRY_TORCH: Final = """
import torch, torchvision, timm
from torchvision.ops import nms
places = ["cpu"]
if torch.cuda.is_available():
    places += [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
if getattr(torch.backends, "mps", None) is not None and torch.backends.mps.is_available():
    places += ["mps"]
print(", ".join(places))
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, and the remedy if it is not enough."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Return all findings, in a fixed order."""
    checks: list[Callable[[], Finding]] = [
        _program,
        _machine,
        _core,
        _openslide,
        _dicom,
        _napari,
        _qt,
        _libraries,
        _display,
        _opengl,
        _fonts,
        _torch,
        _cache,
    ]
    return [check() for check in checks]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _install(what: str) -> str:
    return f"pip install {what}"


def _apt(*packages: str) -> str:
    return f"apt-get install -y {' '.join(packages)}" if LINUX else f"install {', '.join(packages)}"


def _tried(code: str) -> tuple[bool, str]:
    """Run Python code in a process of its own; return whether it went well, and its last line."""
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)[:200]
    lines = [
        line for line in (done.stdout if done.returncode == 0 else done.stderr).splitlines() if line.strip()
    ]
    return done.returncode == 0 and bool(lines), lines[-1][:200] if lines else f"ended with {done.returncode}"


def _program() -> Finding:
    python = platform.python_version()
    found = f"napari-her2 {__version__}, Python {python}"
    return Finding("program", sys.version_info >= (3, 11), found, "install Python 3.11 or newer")


def _machine() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    found = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {free:.0f} GiB free here"
    return Finding("machine", free > 1, found, "free some disk space")


def _core() -> Finding:
    names = (
        "numpy",
        "scipy",
        "scikit-image",
        "opencv-python-headless",
        "numba",
        "zarr",
        "tifffile",
        "pyarrow",
    )
    versions = {name: _version(name) for name in names}
    missing = [name for name, version in versions.items() if version is None]
    found = ", ".join(f"{name} {version}" for name, version in versions.items() if version is not None)
    return Finding("libraries", not missing, found or "none", _install(" ".join(missing)))


def _openslide() -> Finding:
    good, line = _tried("import openslide; print(openslide.__library_version__)")
    found = f"OpenSlide {line}" if good else f"OpenSlide does not load ({line})"
    return Finding("vendor slides", good, found, _install("openslide-python openslide-bin"))


def _dicom() -> Finding:
    version = _version("wsidicom")
    found = f"wsidicom {version}" if version else "wsidicom is not installed: DICOM slides cannot be read"
    return Finding("DICOM slides", version is not None, found, _install('"napari-her2[dicom]"'))


def _napari() -> Finding:
    version = _version("napari")
    new_enough = version is not None and tuple(map(int, version.split(".")[:2])) >= (0, 9)
    return Finding("napari", new_enough, version or "not installed", _install('"napari>=0.9"'))


def _qt() -> Finding:
    there = {name: _qt_version(name) for name in BINDINGS if find_spec(name) is not None}
    found = ", ".join(f"{name} {version}" for name, version in there.items())
    if _miscounts(there.get("PySide6") or ""):
        found = f"{found}, whose miscounted references end Python before 3.12"
        return Finding("Qt", False, found, _install('"PySide6-Essentials<6.12"'))
    return Finding("Qt", bool(there), found or NO_QT, _install('"napari-her2[gui]"'))


def _qt_version(binding: str) -> str | None:
    return _version(binding) or _version(f"{binding}-Essentials")


def _miscounts(pyside: str) -> bool:
    """Whether windows would crash: PySide6 6.12 releases None too often, which later Pythons do not count."""
    return pyside.startswith("6.12") and sys.version_info < (3, 12)


def _libraries() -> Finding:
    wanted = APT_LIBRARIES if LINUX else {}
    missing = [name for name in wanted if ctypes.util.find_library(name) is None]
    found = f"missing: {', '.join('lib' + name for name in missing)}" if missing else "all there"
    return Finding("system libraries", not missing, found, _apt(*(APT_LIBRARIES[name] for name in missing)))


def _display() -> Finding:
    if not LINUX:
        return Finding("display", True, "the desktop's own")
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    virtual = shutil.which("Xvfb")
    found = (
        f"display {screen}"
        if screen
        else "no display; screenshots use Xvfb"
        if virtual
        else "none, and no Xvfb"
    )
    return Finding("display", bool(screen or virtual), found, _apt("xvfb"))


def _opengl() -> Finding:
    if LINUX and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        found = "not tried without a display (Xvfb brings software OpenGL)"
        return Finding("OpenGL", shutil.which("Xvfb") is not None, found, _apt("xvfb", "libgl1-mesa-dri"))
    good, line = _tried(TRY_GL)
    found = f"works on {line}" if good else f"no context ({line})"
    return Finding(
        "OpenGL",
        good,
        found,
        _apt("libgl1", "libegl1", "libgl1-mesa-dri") if LINUX else "update the graphics driver",
    )


def _fonts() -> Finding:
    if not LINUX:
        return Finding("fonts", True, "the desktop's own")
    folders = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")
    there = any(True for folder in folders if folder.is_dir() for _ in folder.rglob("*.[to]tf"))
    return Finding(
        "fonts", there, "found" if there else "none: texts would be empty boxes", _apt("fonts-dejavu-core")
    )


def _torch() -> Finding:
    torch, vision = _version("torch"), _version("torchvision")
    good, line = _tried(TRY_TORCH)
    found = f"torch {torch}, torchvision {vision}"
    if good:
        return Finding("models and GPU", True, f"{found} on {line}")
    remedy = (
        "install torch and torchvision of one release from one place (a CPU-only torch needs the CPU-only "
        "torchvision of the same release, or timm cannot be imported); scoring with the classical engine "
        "works without them"
    )
    return Finding("models and GPU", False, f"{found}: {line}", remedy)


def _cache() -> Finding:
    from napari_her2.case import cache_folder
    from napari_her2.store import writable_folder

    folder = cache_folder()
    try:
        writable_folder(folder, "NAPARI_HER2_CACHE")
    except OutputError as error:
        return Finding("cache", False, str(error), "set NAPARI_HER2_CACHE to a folder that can be written")
    return Finding("cache", True, str(folder))
