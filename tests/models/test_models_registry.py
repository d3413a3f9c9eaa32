"""Models found, shown, added and verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from napari_her2.errors import ModelError
from napari_her2.models import (
    Places,
    ReferenceFile,
    add_model,
    check_models,
    find_model,
    list_models,
    load_model,
    show_model,
    standard_places,
    verify_models,
    write_spec,
)
from napari_her2.store import sha256_of


def package(spec: Any, folder: Path, places: Places) -> None:
    """Put a model among those of the package."""
    name = f"{spec.name}.safetensors"
    (places.packaged / name).write_bytes((folder / spec.weights).read_bytes())
    write_spec(spec.model_copy(update={"weights": name}), places.packaged / f"{spec.name}.json")


def test_nothing_there_yet(places: Places) -> None:
    assert list_models(places) == ()
    assert verify_models(places=places) == ()
    with pytest.raises(ModelError, match=r"there is no model 'x' \(there are: none yet\)"):
        find_model("x", places)


@pytest.mark.parametrize("form", ["spec", "folder"])
def test_add_copies_what_it_checked(write_model: Any, places: Places, batch: Any, form: str) -> None:
    spec, folder = write_model()
    entry = add_model(
        folder / "spec.json" if form == "spec" else folder, sha256=spec.sha256.upper(), places=places
    )
    assert (entry.origin, entry.folder) == ("user", places.user)
    assert sorted(p.name for p in places.user.iterdir()) == ["small-tumour.json", "small-tumour.safetensors"]
    for file in folder.iterdir():
        file.unlink()
    assert load_model("small-tumour", places=places).predict(batch(1, 32)).shape == (1, 2)
    assert [e.spec.name for e in list_models(places)] == ["small-tumour"]
    shown = show_model("small-tumour", places)
    assert shown["sha256"] == spec.sha256
    assert shown["origin"] == "user"
    assert shown["bytes"] == (places.user / "small-tumour.safetensors").stat().st_size
    json.dumps(shown, allow_nan=False)


def test_adding_twice_is_no_harm_but_names_are_not_taken_over(write_model: Any, places: Places) -> None:
    spec, folder = write_model()
    add_model(folder, places=places)
    add_model(folder, places=places)
    _, other = write_model(seed=1)
    with pytest.raises(ModelError, match="another model called small-tumour"):
        add_model(other, places=places)
    assert find_model("small-tumour", places).spec.sha256 == spec.sha256


def test_the_packages_names_are_its_own(write_model: Any, places: Places) -> None:
    spec, folder = write_model()
    package(spec, folder, places)
    with pytest.raises(ModelError, match="another model called small-tumour"):
        add_model(folder, places=places)
    places.user.mkdir(parents=True)
    (places.user / "small-tumour.json").write_text("{}")
    assert find_model("small-tumour", places).origin == "packaged"


def test_a_hash_that_was_promised(write_model: Any, places: Places) -> None:
    _, folder = write_model()
    with pytest.raises(ModelError, match="not aaaaaaaaaaaa"):
        add_model(folder, sha256="a" * 64, places=places)
    assert not places.user.exists()


@pytest.mark.parametrize("what", ["altered", "misfit", "spec"])
def test_what_cannot_be_used_is_not_added(write_model: Any, places: Places, what: str) -> None:
    spec, folder = write_model()
    if what == "altered":
        (folder / spec.weights).write_bytes((folder / spec.weights).read_bytes() + b" ")
    elif what == "misfit":
        write_spec(spec.model_copy(update={"classes": ("a", "b", "c")}), folder / "spec.json")
    else:
        (folder / "spec.json").write_text(json.dumps({**spec.to_json(), "weights": "../small.safetensors"}))
    with pytest.raises(ModelError, match=r"small\.safetensors|weights"):
        add_model(folder, places=places)
    assert not places.user.exists()


def test_a_model_by_path(write_model: Any, places: Places) -> None:
    spec, folder = write_model()
    for name in (str(folder), str(folder / "spec.json")):
        entry = find_model(name, places)
        assert (entry.origin, entry.spec) == ("path", spec)
    write_spec(spec, folder / "second.json")
    with pytest.raises(ModelError, match="2 JSON files"):
        find_model(str(folder), places)


def test_verify_finds_what_was_altered_and_spares_the_rest(write_model: Any, places: Places) -> None:
    package(*write_model("ordinal"), places)
    _, folder = write_model()
    add_model(folder, places=places)
    assert [v.ok for v in verify_models(places=places)] == [True, True]
    target = places.user / "small-tumour.safetensors"
    target.write_bytes(target.read_bytes()[:-1] + b"x")
    assert {v.name: v.ok for v in check_models(places=places)} == {"small-stain": True, "small-tumour": False}
    with pytest.raises(ModelError, match=r"small-tumour\.safetensors is not the file"):
        verify_models(places=places)
    assert verify_models("small-stain", places)[0].ok
    with pytest.raises(ModelError, match=r"small-tumour\.safetensors"):
        verify_models("small-tumour", places)


def test_a_broken_spec_hides_no_other_model(write_model: Any, places: Places) -> None:
    _, folder = write_model()
    add_model(folder, places=places)
    (places.user / "broken.json").write_text("{")
    (places.user / "alias.json").write_bytes((places.user / "small-tumour.json").read_bytes())
    assert [e.spec.name for e in list_models(places)] == ["small-tumour"]
    assert {v.name for v in check_models(places=places) if not v.ok} == {"broken", "alias"}
    with pytest.raises(ModelError, match="calls its model small-tumour"):
        find_model("alias", places)


def test_the_reference_goes_along(write_model: Any, places: Places) -> None:
    spec, folder = write_model()
    (folder / "features.safetensors").write_bytes(b"features")
    reference = ReferenceFile(file="features.safetensors", sha256=sha256_of(folder / "features.safetensors"))
    write_spec(spec.model_copy(update={"reference": reference}), folder / "spec.json")
    kept = add_model(folder, places=places).spec.reference
    assert kept is not None
    assert (places.user / kept.file).read_bytes() == b"features"
    (places.user / kept.file).write_bytes(b"other")
    with pytest.raises(ModelError, match="reference"):
        verify_models(places=places)


def test_folders_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAPARI_HER2_CACHE", str(tmp_path))
    places = standard_places()
    assert places.cache == tmp_path
    assert tmp_path not in (places.user, *places.user.parents)
    assert (places.packaged / "README.md").is_file()
    for entry in list_models(Places.under(tmp_path / "none")):
        raise AssertionError(entry)


def test_what_ships_is_what_its_specs_say() -> None:
    places = standard_places()
    only = Places(packaged=places.packaged, user=Path("none"), config=Path("none"), cache=Path("none"))
    assert all(verdict.ok for verdict in verify_models(places=only))
    for entry in list_models(only):
        assert (entry.folder / entry.spec.weights).stat().st_size <= 25 * 2**20
        assert entry.spec.licence == "BSD-3-Clause"
