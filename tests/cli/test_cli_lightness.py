"""What a command imports before its first pixel (budget P13): a table, so that no import creeps in."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {
    "cv2", "dask", "matplotlib", "napari", "numba", "openslide", "pandas", "pyarrow", "pydantic", "qtpy",
    "scipy", "shapely", "skimage", "tifffile", "timm", "torch", "tqdm", "wsidicom", "yaml", "zarr",
}  # fmt: skip
CASES = [
    ("--help", set()),
    ("score --help", set()),
    ("export x", set()),
    ("rule --list", {"yaml"}),
    ('rule --counts {"none":200}', {"yaml"}),
    ("info {pair}/ihc.ome.tif", {"tifffile", "openslide", "cv2"}),
    ("map-points --mapping {tmp}/m.json --from he --points {tmp}/p.csv --out {tmp}/o.csv", set()),
]
CODE = """
import json, sys
from napari_her2.cli import main
code = main(sys.argv[2:])
heavy = set(json.loads(sys.argv[1])) & set(sys.modules)
print("imported", json.dumps(sorted(heavy)))
"""


@pytest.mark.parametrize(("words", "allowed"), CASES, ids=[words.split(" {")[0] for words, _ in CASES])
def test_a_command_imports_no_more_than_it_needs(
    words: str, allowed: set[str], pair: Path, tmp_path: Path
) -> None:
    filled = [w.replace("{pair}", str(pair)).replace("{tmp}", str(tmp_path)) for w in words.split()]
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(sorted(HEAVY)), *filled],
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("imported"))
    assert set(json.loads(line.removeprefix("imported"))) <= allowed


def test_a_finished_case_is_returned_without_torch_or_pandas(pair: Path, tmp_path: Path) -> None:
    from napari_her2.cli import main

    words = ["score", "--ihc", str(pair / "ihc.ome.tif"), "--out", str(tmp_path / "case"), "--json"]
    assert main([*words, "--min-cells", "20"]) in (0, 5)
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(sorted(HEAVY)), *words, "--min-cells", "20"],
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("imported"))
    found = set(json.loads(line.removeprefix("imported")))
    assert not found & {"torch", "pandas", "napari", "matplotlib", "numba", "timm"}
