"""Real pictures for scripts/real_validation.py: cores with scores, fields of them, mosaics, sober checks.

Cores carry the score of the patient, so that a field's truth is weak: it is its core's. Which fields show
hardly any tumour was noted by eye, see ``WITHOUT_TUMOUR``; they and the core whose label its own picture
does not support are reported apart.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

CORES: Final = "her2_ihc/gea-tma"
CORE_RULE: Final = "gastric-resection"
CORE_UM: Final = 0.25
UNSUPPORTED: Final = "2_726f"
FIELD_UM: Final = 450.0
FIELDS_A_CORE: Final = 3
FIELD_SEED: Final = 13
LEAST_TISSUE: Final = 0.7
APART_UM: Final = 300.0
TEXTURE_GREY: Final = 4.0
"""Standard deviation over 9 µm from which a place is tissue: glass of these cores has about 1."""

WITHOUT_TUMOUR: Final = frozenset({"2_aeb2 f1", "2_aeb2 f2"})
"""Fields that show stroma, muscle or debris with hardly a tumour cell, by eye."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture to score.

    Attributes
    ----------
    name : str
        As tables call it.
    path : Path
    group : str
        ``cores``, ``fields``, ``mosaics``, ``proxies`` or ``sober``.
    um_per_px : float or None
        What is typed; None where the file states it.
    truth : str
        Score, or empty where nobody has stated one.
    rule : str or None
    apart : str
        Why it enters no figure of accuracy; empty where it does.
    what : str
        What the tables say about it.
    """

    name: str
    path: Path
    group: str
    um_per_px: float | None = None
    truth: str = ""
    rule: str | None = None
    apart: str = ""
    what: str = ""


def cores(data: Path) -> list[Picture]:
    """Return the eight cores of gastro-oesophageal cancer."""
    table = data / CORES / "labels.csv"
    if not table.exists():
        return []
    with table.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return [_core(data / CORES / row["file"], row) for row in rows]


def _core(path: Path, row: dict[str, str]) -> Picture:
    name, score = path.name[:6], row["ihc_score"]
    return Picture(
        name=name,
        path=path,
        group="cores",
        um_per_px=CORE_UM,
        truth=score if score == "0" else f"{score}+",
        rule=CORE_RULE,
        apart="label not supported by the picture" if name == UNSUPPORTED else "",
        what=row["note_non_expert"],
    )


def fields(data: Path, work: Path) -> list[Picture]:
    """Cut fields from the cores: places are drawn with a fixed seed and kept where most is tissue."""
    return [field for index, core in enumerate(cores(data)) for field in _fields_of(core, index, work)]


def _fields_of(core: Picture, index: int, work: Path) -> Iterator[Picture]:
    rgb = read_rgb(core.path)
    side = round(FIELD_UM / CORE_UM)
    for number, (row, col) in enumerate(_places(rgb, side, FIELD_SEED + index)):
        name = f"{core.name} f{number}"
        path = work / f"field_{core.name}_{number}.png"
        write_rgb(path, rgb[row : row + side, col : col + side])
        apart = core.apart or ("hardly any tumour" if name in WITHOUT_TUMOUR else "")
        yield replace(core, name=name, path=path, group="fields", apart=apart, what="")


def _places(rgb: NDArray[np.uint8], side: int, seed: int) -> list[tuple[int, int]]:
    """Return corners of fields that lie on tissue and apart from each other, in the order drawn."""
    tissue = textured(rgb)
    rng, kept = np.random.default_rng(seed), list[tuple[int, int]]()
    for row, col in rng.integers(0, (rgb.shape[0] - side, rgb.shape[1] - side), (400, 2)):
        window = tissue[row // 4 : (row + side) // 4, col // 4 : (col + side) // 4]
        far = all(np.hypot(row - r, col - c) * CORE_UM >= APART_UM for r, c in kept)
        if far and window.mean() >= LEAST_TISSUE:
            kept.append((int(row), int(col)))
        if len(kept) == FIELDS_A_CORE:
            break
    return kept


def textured(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Places with structure, at 1 µm/px; a rule of its own, since the program's tissue is what is tested."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    mean = cv2.blur(small, (9, 9))
    spread = np.sqrt(np.maximum(cv2.blur(small * small, (9, 9)) - mean * mean, 0))
    return cv2.blur((spread > TEXTURE_GREY).astype(np.float32), (15, 15)) > 0.5


def mosaics(data: Path, work: Path) -> list[Picture]:
    """Put a 3+ field above a weaker one, and two above a 0: the call must be 3+, or say its doubt."""
    all_fields = fields(data, work)
    strong = [field for field in all_fields if field.truth == "3+" and not field.apart]
    weak = [field for field in all_fields if field.truth != "3+" and not field.apart]
    if not strong:
        return []
    first = {field.name.split()[0]: field for field in reversed(weak)}
    made = [_mosaic([strong[0], below], work) for below in sorted(first.values(), key=lambda f: f.name)]
    zeros = [field for field in first.values() if field.truth == "0"]
    return made + [_mosaic([*strong[:2], below], work) for below in sorted(zeros, key=lambda f: f.name)]


def _mosaic(parts: list[Picture], work: Path) -> Picture:
    name = " / ".join(part.name for part in parts)
    path = work / f"mosaic_{name.replace(' / ', '_').replace(' ', '')}.png"
    write_rgb(path, np.vstack([read_rgb(part.path) for part in parts]))
    what = " above ".join(part.truth for part in parts)
    return replace(parts[0], name=name, path=path, group="mosaics", what=what)


def sober(data: Path, work: Path) -> list[Picture]:
    """Return real IHC and H&E without a score: what counts is that the program stays sober."""
    colon, small = "colon, as if a scan at 20x", "FHL2 in colon glands, plausible size"
    listed = [
        ("fhl2", 0.5, small),
        ("fhl2", 0.25, "the same, half that size"),
        ("slides/crc-ihc-8.tif", 4.0, "colon, plausible size"),
        ("slides/crc-ihc-8.tif", 0.5, colon),
        ("slides/crc-ihc-15.tif", 4.0, "colon, plausible size"),
        ("slides/crc-ihc-15.tif", 0.5, colon),
        ("slides/kidney-ihc.tif", 0.5, "kidney overview, as if a scan at 20x"),
        ("slides/CMU-1-Small-Region.svs", None, "H&E given as IHC"),
    ]
    found = [
        Picture(name=_called(name, um), path=_file(name, data, work), group="sober", um_per_px=um, what=what)
        for name, um, what in listed
    ]
    return [picture for picture in found if picture.path.exists()]


def _called(name: str, um_per_px: float | None) -> str:
    stem = name.rsplit("/", 1)[-1]
    return stem if um_per_px is None else f"{stem} {um_per_px:g}"


def _file(name: str, data: Path, work: Path) -> Path:
    if name != "fhl2":
        return data / name
    from skimage.data import immunohistochemistry

    path = work / "fhl2.png"
    write_rgb(path, immunohistochemistry())
    return path


def read_rgb(path: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


def write_rgb(path: Path, rgb: NDArray[np.uint8], quality: int = 95) -> None:
    """Write by the name's ending; ``quality`` is that of a JPEG."""
    how = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix == ".jpg" else []
    cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1]), how)
