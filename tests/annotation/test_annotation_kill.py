"""A process that paints is killed with SIGKILL: at most the stroke it was at is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.annotation.strokes import Log, opened, painted, stroke

from napari_her2.geometry import Box

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (2000, 2000)

PAINTER = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.annotation.strokes import opened
from tests.annotation.test_annotation_kill import SHAPE, nth
mask = opened(Path({folder!r}), None, SHAPE)
n = {first}
print("ready", flush=True)
while True:
    mask.paint(nth(n))
    print(n, flush=True)
    n += 1
"""


def nth(n: int):
    """Return the n-th stroke, always the same."""
    rng = random.Random(n)  # noqa: S311
    level = rng.choice((0, 0, 1))
    return stroke(rng.randrange(900), rng.randrange(900), rng.randrange(40, 300), n % 6 + 1, level)


def paint_until_killed(folder: Path, first: int, seconds: float) -> int:
    """Return the number of the last stroke that was reported as saved."""
    code = PAINTER.format(root=str(ROOT), folder=str(folder), first=first)
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as painter:
        assert painter.stdout is not None
        assert painter.stdout.readline().strip() == "ready"
        time.sleep(seconds)
        os.kill(painter.pid, signal.SIGKILL)
        said = painter.stdout.read().split()
        assert painter.wait() == -signal.SIGKILL
    return int(said[-1]) if said else first - 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_kill_9_loses_at_most_the_last_stroke(tmp_path: Path) -> None:
    reference = np.zeros(SHAPE, np.uint8)
    first = 1
    for seconds in (0.31, 0.07, 0.173):
        last = paint_until_killed(tmp_path / "m", first, seconds)
        mask = opened(tmp_path / "m", Log(), SHAPE)
        assert not mask.notes
        for n in range(first, last + 1):
            painted(reference, nth(n))
        found = mask.read(Box.of_shape(SHAPE))
        if not (found == reference).all():  # the one that was saved, but not reported any more
            last += 1
            painted(reference, nth(last))
            assert (found == reference).all()
        mask.close()
        first = last + 1
    assert first > 3, "some strokes were painted between the kills"
    mask = opened(tmp_path / "m", Log(), SHAPE)
    while mask.undo() is not None:
        pass
    assert not mask.read(Box.of_shape(SHAPE)).any(), "the history is whole"
    mask.close()
