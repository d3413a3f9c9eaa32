"""The models of this machine: those in the package, and those that the user added."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_her2.errors import ModelError
from napari_her2.models.files import beside, check_hash
from napari_her2.models.loading import check_fits, load_from
from napari_her2.models.places import Places, standard_places
from napari_her2.models.spec import ModelSpec, read_spec, write_spec
from napari_her2.models.trust import trust

if TYPE_CHECKING:
    from napari_her2.models.face import PatchModel
    from napari_her2.models.outside import Reference
    from napari_her2.models.precision import Precision

__all__ = [
    "ModelEntry",
    "Verdict",
    "add_model",
    "check_models",
    "find_model",
    "list_models",
    "load_model",
    "show_model",
    "verify_models",
]

Origin = Literal["packaged", "user", "path"]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that is there.

    Attributes
    ----------
    spec : ModelSpec
    folder : Path
        Where spec and weights lie.
    origin : {"packaged", "user", "path"}
    """

    spec: ModelSpec
    folder: Path
    origin: Origin

    def load(
        self, *, device: str = "cpu", precision: Precision = "float32", places: Places | None = None
    ) -> PatchModel:
        """Return the ready model; see :func:`load_from`."""
        return load_from(self.spec, self.folder, device=device, precision=precision, places=places)

    def reference(self) -> Reference | None:
        """Read the features of its training data; None where the model has none.

        Raises
        ------
        ModelError
            If the side file is not the one that the spec states.
        """
        from napari_her2.models.outside import read_reference

        if self.spec.reference is None:
            return None
        path = beside(self.folder, self.spec.reference.file)
        check_hash(path, self.spec.reference.sha256)
        return read_reference(path)

    @property
    def weights_bytes(self) -> int:
        """Size of the weights' file; 0 where it is missing, which loading tells."""
        path = self.folder / self.spec.weights
        return path.stat().st_size if path.is_file() else 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking a model's files found; ``problem`` is empty if all is well."""

    name: str
    origin: Origin
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether the files are what the spec says."""
        return not self.problem


def _spec_files(places: Places) -> dict[str, tuple[Path, Origin]]:
    """Spec by name; the package's own names cannot be taken over."""
    found: dict[str, tuple[Path, Origin]] = {}
    origins: tuple[tuple[Path, Origin], ...] = ((places.packaged, "packaged"), (places.user, "user"))
    for folder, origin in origins:
        for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
            found.setdefault(path.stem, (path, origin))
    return found


def _entry(path: Path, origin: Origin) -> ModelEntry:
    spec = read_spec(path)
    if origin != "path" and spec.name != path.stem:
        raise ModelError(f"{path.name} calls its model {spec.name}: rename the file, or add the model again")
    return ModelEntry(spec, path.parent, origin)


def list_models(places: Places | None = None) -> tuple[ModelEntry, ...]:
    """All usable models, those of the package first; broken specs are left to :func:`check_models`."""
    entries = []
    for path, origin in _spec_files(places or standard_places()).values():
        try:
            entries.append(_entry(path, origin))
        except ModelError:
            continue
    return tuple(entries)


def find_model(name: str, places: Places | None = None) -> ModelEntry:
    """Find a model by name, or by the path of its spec or of its folder.

    Raises
    ------
    ModelError
        If there is none.
    """
    known = _spec_files(places or standard_places())
    if name in known:
        return _entry(*known[name])
    path = Path(name)
    if path.is_dir():
        return _entry(_only_spec(path), "path")
    if path.suffix == ".json" and path.is_file():
        return _entry(path, "path")
    has = ", ".join(known) or "none yet"
    raise ModelError(
        f"there is no model {path.name!r} (there are: {has}): give a name of models list or the path of a "
        "spec.json, or add it with models add"
    )


def _only_spec(folder: Path) -> Path:
    specs = sorted(folder.glob("*.json"))
    if len(specs) != 1:
        raise ModelError(f"{folder.name} holds {len(specs)} JSON files, not one spec: give the spec itself")
    return specs[0]


def show_model(name: str, places: Places | None = None) -> dict[str, Any]:
    """Return a model's spec for printing, with ``origin`` and the weights' size in ``bytes``."""
    entry = find_model(name, places)
    size = beside(entry.folder, entry.spec.weights).stat().st_size
    return {**entry.spec.to_json(), "origin": entry.origin, "bytes": size}


def load_model(
    name: str, *, device: str = "cpu", precision: Precision = "float32", places: Places | None = None
) -> PatchModel:
    """Find and load a model.

    Raises
    ------
    ModelError
        If there is none, or it cannot be used.
    """
    return find_model(name, places).load(device=device, precision=precision, places=places)


def add_model(
    path: Path, *, sha256: str | None = None, trusted: bool = False, places: Places | None = None
) -> ModelEntry:
    """Copy a model into the user's folder, checked.

    Parameters
    ----------
    path : Path
        A spec, a folder with one, or a folder of the WSInfer zoo.
    sha256 : str, optional
        Hash of the weights, as their source states it.
    trusted : bool
        Whether code in the weights (TorchScript) may run on this machine; remembered by hash.
    places : Places, optional

    Returns
    -------
    ModelEntry
        The copy.

    Raises
    ------
    ModelError
        If it is not usable, its hash differs, it holds code and is not trusted, or its name is taken.
    """
    places = places or standard_places()
    spec, folder = _given(path)
    if sha256 is not None and sha256.lower() != spec.sha256:
        raise ModelError(
            f"{spec.weights} has sha256 {spec.sha256[:12]}..., not {sha256[:12]}...: get it again from its "
            "source"
        )
    check_fits(spec, folder)
    if spec.adapter.kind == "torchscript":
        _settle_trust(spec, trusted, places)
    _check_name(spec, places)
    return _copied(spec, folder, places)


def _given(path: Path) -> tuple[ModelSpec, Path]:
    from napari_her2.models.wsinfer import WEIGHTS, is_zoo_folder, spec_of_zoo
    from napari_her2.store import sha256_of

    if not path.exists():
        raise ModelError(f"{path.name} does not exist: give a spec.json, its folder, or a WSInfer folder")
    if path.is_dir() and is_zoo_folder(path):
        return spec_of_zoo(path, sha256_of(beside(path, WEIGHTS))), path
    spec_file = _only_spec(path) if path.is_dir() else path
    return read_spec(spec_file), spec_file.parent


def _settle_trust(spec: ModelSpec, trusted: bool, places: Places) -> None:
    from napari_her2.models.torchscript import check_trust

    if trusted:
        trust(spec.sha256, spec.name, places)
    check_trust(spec, places)


def _check_name(spec: ModelSpec, places: Places) -> None:
    taken = _spec_files(places).get(spec.name)
    if taken is None:
        return
    if taken[1] == "packaged" or _entry(*taken).spec.sha256 != spec.sha256:
        raise ModelError(f"there is another model called {spec.name}: give yours another name in its spec")


def _copied(spec: ModelSpec, folder: Path, places: Places) -> ModelEntry:
    from napari_her2.store import replacing

    weights = f"{spec.name}{Path(spec.weights).suffix}"
    kept = spec.model_copy(update={"weights": weights})
    files = [(spec.weights, weights, spec.sha256)]
    if spec.reference is not None:
        name = f"{spec.name}.reference{Path(spec.reference.file).suffix}"
        files.append((spec.reference.file, name, spec.reference.sha256))
        kept = kept.model_copy(update={"reference": spec.reference.model_copy(update={"file": name})})
    for source, target, stated in files:
        with replacing(places.user / target) as temporary:
            shutil.copyfile(beside(folder, source), temporary)
            check_hash(temporary, stated)
    write_spec(kept, places.user / f"{spec.name}.json")
    return ModelEntry(kept, places.user, "user")


def check_models(name: str | None = None, places: Places | None = None) -> tuple[Verdict, ...]:
    """Compare the files of one model, or of all, with the hashes in their specs."""
    places = places or standard_places()
    if name is not None:
        entry = find_model(name, places)
        return (Verdict(entry.spec.name, entry.origin, _problem(entry)),)
    return tuple(_verdict(path, origin) for path, origin in _spec_files(places).values())


def _verdict(path: Path, origin: Origin) -> Verdict:
    try:
        return Verdict(path.stem, origin, _problem(_entry(path, origin)))
    except ModelError as error:
        return Verdict(path.stem, origin, str(error))


def _problem(entry: ModelEntry) -> str:
    files = [(entry.spec.weights, entry.spec.sha256)]
    if entry.spec.reference is not None:
        files.append((entry.spec.reference.file, entry.spec.reference.sha256))
    try:
        for file, stated in files:
            check_hash(beside(entry.folder, file), stated)
    except ModelError as error:
        return str(error)
    return ""


def verify_models(name: str | None = None, places: Places | None = None) -> tuple[Verdict, ...]:
    """As :func:`check_models`, but one wrong file is an error.

    Raises
    ------
    ModelError
        The first problem found.
    """
    verdicts = check_models(name, places)
    for verdict in verdicts:
        if not verdict.ok:
            raise ModelError(verdict.problem)
    return verdicts
