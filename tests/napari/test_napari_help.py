"""One table of keys: what docks bind, what the manifest says, what the help pane shows."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.napari.windows import open_in, wait

from napari_her2._napari import commands
from napari_her2._napari.shortcuts import PLACES, SHORTCUTS, key_of, keys_in, spoken, with_key

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST: dict[str, Any] = yaml.safe_load(files("napari_her2").joinpath("napari.yaml").read_text("utf-8"))
COMMANDS = {one["id"].removeprefix("napari-her2."): one for one in MANIFEST["contributions"]["commands"]}


def test_no_key_means_two_things() -> None:
    assert {one.place for one in SHORTCUTS} == set(PLACES)
    for place in PLACES:
        acts = [one.act for one in SHORTCUTS if one.place == place]
        assert len(acts) == len(set(acts))
    shared = [one.key for one in SHORTCUTS if one.place != "paint"]
    assert len(shared) == len(set(shared)), "docks are open together"
    paint = list(keys_in("paint").values())
    assert len(paint) == len(set(paint))
    assert not set(paint) & (set(shared) - {"Q"})


def test_keys_of_the_manifest_are_those_of_the_table() -> None:
    known = {spoken(one.key) for one in SHORTCUTS}
    for binding in MANIFEST["contributions"]["keybindings"]:
        assert binding["key"] in known, binding


@pytest.mark.parametrize(
    ("key", "words", "mac"),
    [("Control-Alt-R", "Ctrl+Alt+R", "⌘⌥R"), ("Shift-N", "Shift+N", "⇧N"), ("Q", "Q", "Q")],
)
def test_keys_are_written_as_people_do(key: str, words: str, mac: str) -> None:
    assert (spoken(key), spoken(key, mac=True)) == (words, mac)
    assert with_key("window", "score") == "Score the open case (Ctrl+Alt+R)"


def test_every_action_is_a_command_with_a_title() -> None:
    """What a key does outside of painting, and what has none, can be called by name."""
    named = {one["python_name"].rpartition(":")[2] for one in COMMANDS.values()}
    callables = [name for name in commands.__all__ if name.islower()]
    assert set(callables) <= named
    assert all(callable(getattr(commands, name)) for name in callables)
    assert set(commands.KEYLESS) <= set(COMMANDS)
    titles = [one["title"] for one in COMMANDS.values()]
    assert len(titles) == len(set(titles)), "two actions of one name cannot be told apart in the palette"


@pytest.mark.window
def test_help_lists_what_the_docks_bind(viewer: Any, case: Path) -> None:
    from napari_her2._napari.widgets.arrange import HELP, open_dock

    before = {str(key) for key in viewer.keymap}
    panel = open_dock(viewer, "HER2 case")
    open_in(panel, case)
    linked = open_dock(viewer, "Linked H&E ↔ IHC view")
    for name in ("Review queue", "HER2 worklist"):
        open_dock(viewer, name)
    bound = {str(key) for key in viewer.keymap} - before
    told = {spoken(one.key) for one in SHORTCUTS if one.place != "paint"} - {
        spoken(key_of("window", "correct"))
    }
    assert bound == told, "Ctrl+Alt+E is bound by the manifest; all others by docks"
    viewer.window.remove_dock_widget(linked.parent())
    {str(key): act for key, act in viewer.keymap.items()}["Ctrl+Alt+/"](viewer)
    dock = open_dock(viewer, HELP)
    wait(lambda: dock.isVisible())
    rows = [pair for _, pairs in dock.sections.values() for pair in pairs]
    assert {key.text() for key, _ in rows} >= told
    assert any(words.text() == "Confirm the proposed tumour area" for _, words in rows)
    dock.search.setText("next field")
    assert [words.text() for _, words in rows if not words.isHidden()] == ["Next field"]
    dock.search.setText("nothing like it")
    assert not dock.nothing.isHidden()


@pytest.mark.window
def test_keys_of_the_edit_window(viewer: Any, case: Path) -> None:
    from napari_her2._napari.widgets.arrange import open_dock

    panel = open_dock(viewer, "HER2 case")
    open_in(panel, case)
    edit = open_dock(viewer, "Correct masks")
    edit.start.start_button.click()
    wait(lambda: edit.state.active)
    edit.suite.canvas.go_to(384, 512, 200)
    wait(lambda: edit.state.covered)
    layer = edit.suite.canvas.layer
    known = {spoken(key) for key in keys_in("paint").values()}
    assert known <= {str(key) for key in layer.keymap}


@pytest.mark.window
def test_commands_open_their_docks_and_act(viewer: Any, case: Path) -> None:
    from napari_her2._napari.widgets.arrange import open_dock

    panel = open_dock(viewer, "HER2 case")
    open_in(panel, case)
    commands.magnify_4()
    assert viewer.scene.camera.zoom == pytest.approx(2.0)
    commands.overlay()
    assert panel.session.arrangement == "over"
    commands.overlay()
    assert panel.session.arrangement == "side"
    commands.next_field()
    review = open_dock(viewer, "Review queue")
    wait(lambda: bool(review.control.queue))
    commands.next_field()
    assert panel.session.field is not None
    commands.clear_tumour()
    assert panel.session.settings.forget_area
    commands.one_stain()
    assert panel.controller.canvas.layer("stain") is not None
    commands.next_case()
    commands.show_help()
