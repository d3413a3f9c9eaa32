"""Pictures of panels against those that were looked at: blocks of colour, so that other fonts may differ."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_her2._napari.worker import wait_until

FOLDER = Path(__file__).parent / "golden"
BLOCK_PX = 12
"""About a line of text: letters blur, buttons and bars stay."""
FAR = 26
"""Mean difference of a block (0 to 255, the furthest channel) from which it counts as another."""
MOST = 0.12
"""Share of blocks that may be another: rows move by a line where a font is higher."""
WRITE = "NAPARI_HER2_WRITE_GOLDEN"
SETTLES_S = 10.0


def grabbed(widget: Any) -> Image.Image:
    """Return what a widget shows, one pixel for each of its own."""
    from qtpy.QtCore import QBuffer

    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.ReadWrite)
    pixmap = widget.grab()
    pixmap.scaled(widget.width(), widget.height()).save(buffer, "PNG")
    return Image.open(io.BytesIO(bytes(buffer.data().data()))).convert("RGB")


def share_of_others(one: Image.Image, other: Image.Image) -> float:
    """Return the share of blocks that differ; pictures of another size are first brought to the same."""
    cols, rows = max(one.width // BLOCK_PX, 1), max(one.height // BLOCK_PX, 1)
    small = [
        np.asarray(picture.resize((cols, rows), Image.Resampling.BOX), np.int16) for picture in (one, other)
    ]
    return float((np.abs(small[0] - small[1]).max(axis=2) > FAR).mean())


def check(widget: Any, name: str) -> None:
    """Compare a widget with its picture; with the variable set, write the picture instead."""
    found, path = grabbed(widget), FOLDER / f"{name}.png"
    if os.environ.get(WRITE):
        FOLDER.mkdir(exist_ok=True)
        found.quantize(160, dither=Image.Dither.NONE).save(path, "PNG", optimize=True)
        return
    wanted = Image.open(path).convert("RGB")
    assert abs(found.width / wanted.width - 1) < 0.15, f"{name} is {found.width} px wide, was {wanted.width}"
    # A layout takes some turns of the event loop until it rests, more on a busy machine.
    wait_until(lambda: share_of_others(wanted, grabbed(widget)) <= MOST, SETTLES_S)
    share = share_of_others(wanted, grabbed(widget))
    assert share <= MOST, f"{name}: {share:.0%} of it looks otherwise"
