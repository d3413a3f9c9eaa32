"""The house keeps its own rules: sizes, faces, what an import costs, what no file may hold."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "napari_her2"
MOST_LINES = 400

HEAVY = (
    *("torch", "torchvision", "timm", "transformers", "napari", "qtpy", "PyQt6", "PySide6", "superqt"),
    *("dask", "matplotlib", "magicgui", "vispy", "zarr", "scipy", "skimage", "cv2", "pandas", "pyarrow"),
    *("numba", "tifffile", "openslide", "wsidicom", "shapely", "yaml", "pydantic"),
)
# Words that would tie the checkout to one machine or one registry; split so that they do not find themselves.
MACHINE = re.compile(r"(?<![\w.])/(work|home|root|Users|mnt|data)/[\w.-]+|[A-Z]:\\\\?Users")
HOSTS = re.compile(
    r"pypi\.|pythonhosted\.|\.pytorch\.org/whl|index[-_]url|registry\.\w+\.|artifactory|nexus\.",
    re.IGNORECASE,
)
TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".sh", ".cfg", ".ini", ".json", ".html", ""}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def tracked() -> tuple[Path, ...]:
    """Files of the project: what git lists, or all where this is no checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.split("\0") if listed.returncode == 0 else []
    files = [ROOT / name for name in names if name] or [
        p for p in PACKAGE.rglob("*") if "__pycache__" not in p.parts
    ]
    return tuple(path for path in files if path.is_file())


def texts() -> list[tuple[Path, str]]:
    return [(path, path.read_text(encoding="utf-8")) for path in tracked() if path.suffix in TEXT]


def rooms() -> list[str]:
    found = [path.parent for path in PACKAGE.rglob("__init__.py")]
    return sorted(".".join(("napari_her2", *folder.relative_to(PACKAGE).parts)) for folder in found)


def face(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")[1:], "__init__.py")


# ------------------------------------------------------------------ size and shape


def test_no_file_grows_beyond_what_can_be_read() -> None:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files("src", "tests", "scripts")
    }
    long = {str(path.relative_to(ROOT)): lines for path, lines in lengths.items() if lines > MOST_LINES}
    assert not long, f"a noun is hiding in {long}"


def test_functions_are_short() -> None:
    lengths = sorted(
        node.end_lineno - node.lineno + 1
        for path in python_files("src")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    )
    assert lengths[int(len(lengths) * 0.95)] <= 40


def exported(tree: ast.Module) -> set[str]:
    """Public names that a face defines or takes from the package, lazily as well."""
    names: set[str] = set()
    for node in [
        *tree.body,
        *(inner for outer in tree.body if isinstance(outer, ast.If) for inner in outer.body),
    ]:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("napari_her2"):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("module", rooms())
def test_a_face_shows_what_it_exports(module: str) -> None:
    tree = ast.parse(face(module).read_text(encoding="utf-8"))
    stated = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == ["__all__"]
    ]
    names = set(stated[0]) if stated else set()
    assert names - {"__version__"} == exported(tree)
    assert len(stated[0] if stated else []) == len(names)


@pytest.mark.parametrize("module", [room for room in rooms() if "_napari" not in room])
def test_what_a_face_shows_exists(module: str) -> None:
    room = importlib.import_module(module)
    missing = [name for name in getattr(room, "__all__", ()) if not hasattr(room, name)]
    assert not missing
    if module == "napari_her2":
        with pytest.raises(AttributeError, match="nothing_such"):
            room.nothing_such  # noqa: B018


# ------------------------------------------------------------------ what an import costs


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import napari_her2",
        "from napari_her2 import Affine, Box, Her2Error, apply_rule",
        "import napari_her2.errors, napari_her2.events, napari_her2.vocabulary, napari_her2.geometry",
        "import napari_her2.scoring",
        "import napari_her2.stain",
        "import napari_her2.cli; from napari_her2.cli.parser import parse",
    ],
)
def test_what_must_be_light_is_light(statement: str) -> None:
    assert not loaded_after(statement) & set(HEAVY)


def test_a_rule_needs_numpy_and_yaml_alone() -> None:
    statement = "from napari_her2 import apply_rule; apply_rule({'complete_intense': 50, 'none': 100})"
    assert loaded_after(statement) & set(HEAVY) == {"yaml"}


# ------------------------------------------------------------------ what no file may hold


def test_the_manifest_at_the_root_is_the_packaged_one() -> None:
    assert (ROOT / "napari.yaml").read_bytes() == (PACKAGE / "napari.yaml").read_bytes()


def test_no_place_of_one_machine_and_no_registry() -> None:
    own = Path(__file__).resolve()
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path, text in texts()
        if path != own
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE.search(line) or HOSTS.search(line)
    ]
    assert not found


def test_the_search_for_places_finds_them() -> None:
    # Written with bars, so that this file names no place either.
    for line in ("see |home|someone|slide.svs", "open('|work|x')", "|root|.cache|y"):
        assert MACHINE.search(line.replace("|", "/"))
    assert MACHINE.search("C:|Users|someone".replace("|", "\\"))
    for line in ("Desktop|work|file", "https:||example.org|home|page", "CASE|data|x", "a|root|b"):
        assert not MACHINE.search(line.replace("|", "/"))
    for line in ("https://pypi.org/simple", "--index-url x", "https://download.pytorch.org/whl/cpu"):
        assert HOSTS.search(line)


def test_constraints_name_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert lines
    odd = [line for line in lines if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!]+", line)]
    assert not odd
    names = [re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in lines]
    assert len(set(names)) == len(names)
    assert "napari-her2" not in names


def dangers(tree: ast.Module) -> list[str]:
    """Code that runs what a file says: pickle, eval, torch.load, arrays of objects, a shell."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            names = {module.partition(".")[0], *(alias.name.partition(".")[0] for alias in node.names)}
            found += sorted(
                names & {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "marshal", "shelve"}
            )
        if isinstance(node, ast.Call):
            found += _dangerous_call(node)
    return found


def _dangerous_call(node: ast.Call) -> list[str]:
    called = ast.unparse(node.func)
    true = {
        word.arg
        for word in node.keywords
        if isinstance(word.value, ast.Constant) and word.value.value is True
    }
    dangerous = (
        called in ("eval", "exec", "os.system", "yaml.load", "yaml.unsafe_load")
        or (called == "torch.load" and "weights_only" not in true)
        or (called.endswith(".load") and "allow_pickle" in true)
        or "shell" in true
    )
    return [called] if dangerous else []


def test_nothing_runs_what_a_file_says() -> None:
    found = {
        str(path.relative_to(ROOT)): words
        for path in python_files("src", "scripts", "benchmarks")
        if (words := dangers(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert not found


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=sure)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run('x', shell=True)",
    ],
)
def test_the_search_for_dangers_finds_them(code: str) -> None:
    assert dangers(ast.parse(code))
    assert not dangers(ast.parse("model.eval(); np.load(path); yaml.safe_load(text)"))
    assert not dangers(ast.parse("torch.load(path, weights_only=True)"))


def test_sources_are_plain_text() -> None:
    """UTF-8, a last line that ends, no tabs, no work left undone."""
    for path in python_files("src", "tests", "scripts", "benchmarks"):
        with tokenize.open(path) as file:
            assert file.encoding == "utf-8"
            text = file.read()
        assert not text or text.endswith("\n"), path
        assert "\t" not in text.replace("\\t", ""), path


def test_tests_have_names_of_their_own() -> None:
    names = [path.name for path in python_files("tests") if path.name.startswith("test_")]
    assert len(set(names)) == len(names)
