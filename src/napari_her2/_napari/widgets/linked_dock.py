"""The dock widget "Linked H&E ↔ IHC view": the H&E in a canvas of its own that goes where the IHC goes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.qt import QtViewer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QButtonGroup, QCheckBox, QHBoxLayout, QPushButton, QSlider, QVBoxLayout, QWidget

from napari_her2._napari.hands import Ruler
from napari_her2._napari.he_side import HeSide
from napari_her2._napari.layers import fit_lines
from napari_her2._napari.linking import Link, LinkedCameras, centre_of
from napari_her2._napari.shortcuts import keys_in
from napari_her2._napari.widgets.arrange import bring_layer_docks, put_layer_docks_away
from napari_her2._napari.widgets.docked import Docked
from napari_her2._napari.widgets.glass import Glass, Ring
from napari_her2._napari.widgets.pairs_view import PairsView
from napari_her2._napari.widgets.partner import Partner
from napari_her2._napari.widgets.parts import label
from napari_her2._napari.widgets.shared_view import SharedView
from napari_her2.geometry import Affine

if TYPE_CHECKING:
    import napari
    from napari_her2._napari.paired import Pairing
    from napari_her2._napari.session import SlideRole

__all__ = ["LinkedDock"]

REST_MS = 160
"""The view is at rest after this long without a move."""
MODES = {
    "off": ("Off", "Only the linked cursor"),
    "blend": ("Blend", "The H&E, warped by the whole alignment, over the IHC; the slider sets its opacity"),
    "swipe": ("Swipe", "The warped H&E right of a line; the slider moves the line"),
    "checkerboard": ("Board", "Warped H&E and IHC in squares: lines must go on across their edges"),
}


class LinkedDock(Docked):
    """A second canvas, linked both ways through the mapping.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.partner = ViewerModel(title="H&E")
        self.partner.theme = self.viewer.theme
        self.side = HeSide(self.partner, self.controller.canvas, self.controller.tumour.drawn)
        self.qt_viewer = QtViewer(self.partner)
        self.glass = Glass(self.partner, self.qt_viewer.canvas.native)
        self.main_glass = self.studio.hud.glass
        self.glass.show_title("H&E")
        self.curtain = Partner(self.controller.canvas, self.studio.refresher)
        self._mode = "off"
        glasses: dict[SlideRole, Glass] = {"he": self.glass, "ihc": self.main_glass}
        self.pairs = PairsView(self.studio.landmarks, glasses, self.place_of)
        self.cameras: LinkedCameras | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._at_rest)
        self.partner.layers.events.inserted.connect(self._layer_came)
        self.shared = SharedView(self.session, self.controller.canvas, self.side)
        self._build()
        self.studio.refresher.follow(self.partner)
        for viewer, side in ((self.viewer, "ihc"), (self.partner, "he")):
            viewer.mouse_move_callbacks.append(self._callbacks(side))
        self.watch(self._relink, "he", "ihc", "result", "prepared")
        self.watch(self._remap, "refit")
        self.watch(self._take_up, "tool")
        self.pairs.pane.gone_to.connect(self._go_to_pair)
        self._bind_keys()
        self.session.tool = ""
        self._hidden = put_layer_docks_away(self.viewer)
        self._relink()
        self.begin()

    def _callbacks(self, side: str) -> Any:
        made = partial(self._mouse_moved, side)
        self._mouse = {**getattr(self, "_mouse", {}), side: made}
        return made

    def _build(self) -> None:
        self.linked = QCheckBox("Linked")
        self.linked.setChecked(True)
        self.linked.setToolTip("Both canvases go to the same place; off: each for itself")
        self.linked.toggled.connect(self._set_linked)
        top = QHBoxLayout()
        top.addWidget(self.linked)
        for words, side, tip in (
            ("⟲ both", None, "Turn both slides by 90° (Ctrl+Alt+T)"),
            ("⟲ H&&E", "he", "Turn the H&E alone by 90° (Ctrl+Alt+H)"),
        ):
            button = QPushButton(words)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, side=side: self.turn(side))
            top.addWidget(button)
        self.pairs_button = QPushButton("Pairs")
        self.pairs_button.setCheckable(True)
        self.pairs_button.setToolTip("Set places that belong together; the alignment follows (Ctrl+Alt+L)")
        self.pairs_button.clicked.connect(self.switch_pairs)
        top.addWidget(self.pairs_button)
        self.draw_button = QPushButton("Draw")
        self.draw_button.setCheckable(True)
        self.draw_button.setToolTip(
            "Draw the tumour area on either slide: click for corners, double-click to finish; "
            "it is carried to the other at once (Ctrl+Alt+W)"
        )
        self.draw_button.clicked.connect(self.switch_drawing)
        top.addWidget(self.draw_button)
        self.patches = QCheckBox("Patches")
        self.patches.setChecked(True)
        self.patches.setToolTip("Outline the patch under the cursor and its partner; dashed: it has none")
        top.addWidget(self.patches)
        self.error = label("", "small")
        top.addWidget(self.error, 1, Qt.AlignmentFlag.AlignRight)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(6, 4, 6, 6)
        whole.setSpacing(5)
        whole.addLayout(top)
        whole.addWidget(self.qt_viewer, 1)
        whole.addWidget(self.pairs.pane)
        whole.addWidget(self._build_modes())
        self.setMinimumSize(300, 260)

    def _build_modes(self) -> QWidget:
        row = QWidget()
        row.setObjectName("content")
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(label("On the IHC:", "small"))
        group = QButtonGroup(self)
        self.modes: dict[str, QPushButton] = {}
        for mode, (words, tip) in MODES.items():
            button = QPushButton(words)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setChecked(mode == "off")
            button.clicked.connect(lambda _=False, mode=mode: self.show_curtain(mode))
            group.addButton(button)
            line.addWidget(button)
            self.modes[mode] = button
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setValue(50)
        self.slider.valueChanged.connect(lambda value: self.curtain.slide(value / 100))
        line.addWidget(self.slider, 1)
        return row

    def _bind_keys(self) -> None:
        landmarks = self.studio.landmarks
        table = keys_in("linked")
        keys = {
            table["turn_both"]: lambda _: self.turn(None),
            table["turn_he"]: lambda _: self.turn("he"),
            table["pairs"]: lambda _: self.switch_pairs(),
            table["draw"]: lambda _: self.switch_drawing(),
            table["undo"]: lambda _: landmarks.undo(),
            table["redo"]: lambda _: landmarks.redo(),
        }
        self._keys = keys
        for viewer in (self.viewer, self.partner):
            for key, action in keys.items():
                viewer.bind_key(key, action, overwrite=True)

    def _relink(self, *_: Any) -> None:
        """Show the H&E of the case and link it as the mapping says now."""
        he, ihc = self.session.he, self.session.ihc
        before = self.cameras
        if before is not None:
            before.close()
            self.cameras = None
        self.curtain.forget()
        self.side.show(he)
        if he is None or ihc is None or he.um_per_px is None or ihc.um_per_px is None:
            self._share(on=False)
            return
        link = Link(he_um=he.size_um, ihc_um=ihc.size_um, mapping=self.session.mapping)
        if before is not None:
            link = link.turned("he", before.link.he_turns).turned("ihc", before.link.ihc_turns)
        self.cameras = LinkedCameras(
            link, self.viewer, self.partner, at_rest=self._place_he, moved=self._rest.start
        )
        self.cameras.on = self.linked.isChecked()
        self._share(on=True)
        self.controller.canvas.turn(link.rotation("ihc"))
        self.controller.canvas.look_at("ihc")
        self.cameras.rest()
        self.cameras.sync()
        for mode, button in self.modes.items():
            button.setEnabled(mode == "off" or link.mapping is not None)
        self._mode = "off"
        self.modes["off"].setChecked(True)
        self.pairs.show_marks()
        self.shared.find()
        told = "not aligned yet" if link.mapping is None else ""
        self.error.setText(told)

    def _share(self, *, on: bool) -> None:
        """Leave the H&E, and what is drawn on it, to its own canvas, or give it back."""
        canvas = self.controller.canvas
        if on == (canvas.he_side is not None):
            return
        if on:
            canvas.share(self.side)
        canvas.set_linked(on)
        if not on:
            canvas.share(None)
        self.controller.tumour.drawn()

    def _remap(self, *_: Any) -> None:
        """Follow an alignment that was changed, without moving the view."""
        cameras = self.cameras
        if cameras is not None and cameras.link.mapping is not self.session.mapping:
            cameras.link = replace(cameras.link, mapping=self.session.mapping)
            cameras.rest()
            self.shared.find()
            if self._mode != "off":
                self.curtain.forget()
                self.show_curtain(self._mode)

    def place_of(self, side: SlideRole) -> Affine | None:
        """Return a slide's µm → world of its canvas; None where it is not shown."""
        if self.cameras is None or not self.side.shown:
            return None
        if side == "ihc":
            return self.cameras.link.rotation("ihc")
        return self.side.place

    def switch_pairs(self, *_: Any) -> None:
        """Take up the tool that sets pairs, or put it down."""
        self.session.tool = "" if self.session.tool == "pairs" else "pairs"

    def switch_drawing(self, *_: Any) -> None:
        """Draw the tumour area on either canvas, or move the slides again."""
        if self.session.tool == "draw":
            self.session.tool = ""
        else:
            self.controller.tumour.draw()

    def _take_up(self, *_: Any) -> None:
        """Give the mouse to the tool that is held."""
        drawing = self.session.tool == "draw"
        self.pairs_button.setChecked(self.pairs.on)
        self.draw_button.setChecked(drawing)
        if not drawing:
            self.controller.canvas.stop_drawing()
        self.glass.show_measured(None)
        if self.session.tool == "ruler":
            ruler = Ruler(lambda _: self.side.place, self.glass.show_measured)
            self.glass.hold(ruler, lambda place: self.point_at(place, "he"))
        else:
            self.glass.hold(None)
        self.pairs.take_up(self._hovered)

    def _hovered(self, side: SlideRole, place: tuple[float, float]) -> None:
        """Hear of the mouse while a tool is held."""
        if side == "ihc":
            self.studio.hud.hover(place)
        self.point_at(place, side)

    def _go_to_pair(self, which: int) -> None:
        """Look at a pair."""
        to_world = self.pairs.px_place("ihc")
        if to_world is not None:
            row, col = to_world(self.studio.landmarks.on("ihc")[which : which + 1])[0]
            self.controller.canvas.go((float(row), float(col)))

    def turn(self, side: Any) -> None:
        """Turn the H&E, or both slides, by 90°."""
        cameras = self.cameras
        if cameras is not None:
            centre = cameras.link.rotation("ihc").inverse([centre_of(self.viewer)])[0]
            cameras.link = cameras.link.turned(side)
            self.controller.canvas.turn(cameras.link.rotation("ihc"))
            row, col = cameras.link.rotation("ihc")(centre)[0]
            self.controller.canvas.go((float(row), float(col)))
            cameras.rest()
            cameras.sync()

    def show_curtain(self, mode: str) -> None:
        """Show the warped H&E over the IHC, wholly or in parts."""
        self._mode = mode
        self.modes[mode].setChecked(True)
        self.curtain.show(mode, self.session, self.slider.value() / 100)

    def _set_linked(self, on: bool) -> None:
        if self.cameras is not None:
            self.cameras.on = on
            if on:
                self.cameras.sync()

    def _layer_came(self, *_: Any) -> None:
        self._rest.start()

    def _at_rest(self) -> None:
        fit_lines(self.partner.layers, float(self.partner.scene.camera.zoom))
        if self.cameras is not None and self.linked.isChecked():
            self.cameras.rest()
            self.curtain.rest()

    def _place_he(self, centre: tuple[float, float]) -> None:
        cameras = self.cameras
        if cameras is not None and self.side.shown:
            self.side.lie(cameras.link.he_place(centre))
            self.pairs.show_marks()

    def _mouse_moved(self, side: Any, viewer: Any, event: Any) -> None:
        row, col = event.position[-2:]
        self.point_at((float(row), float(col)), side)

    def point_at(self, place_um: tuple[float, float], side: Any = "ihc") -> None:
        """Show a place (world µm) of one canvas on the other, with the local error as a ring."""
        cameras = self.cameras
        if cameras is None or cameras.link.mapping is None or not self.side.shown:
            return
        cursor = cameras.link.cursor(place_um, side, self.side.place)
        here, there = (self.main_glass, self.glass) if side == "ihc" else (self.glass, self.main_glass)
        here.show_ring(None)
        if cursor is not None:
            there.show_ring(Ring(cursor.place, cursor.error_um, cursor.inside))
            words = f"± {cursor.error_um:.0f} µm here" if cursor.inside else "not shared"
            self.error.setText(words)
        self._show_patches(place_um, side)
        self._tell(place_um, side)

    def _tell(self, place_um: tuple[float, float], side: SlideRole) -> None:
        """Tell what lies under the cursor of the H&E's canvas; the main canvas tells it itself."""
        probe = None if self.session.result is None else self.session.result.probe
        row, col = self.side.place.inverse([place_um])[0]
        known = probe is not None and side == "he"
        self.glass.show_told(*(probe.at_he((float(row), float(col))) if known and probe is not None else ()))

    def _show_patches(self, place_um: tuple[float, float], side: SlideRole) -> None:
        """Show the patch under the cursor and its partner on the other slide."""
        to_world = self.place_of(side)
        if to_world is None:
            return
        row, col = to_world.inverse([place_um])[0]
        found = self.shared.at(side, (float(row), float(col))) if self.patches.isChecked() else None
        self._outline("he", self.glass, found)
        self._outline("ihc", self.main_glass, found)

    def _outline(self, side: SlideRole, glass: Glass, found: Pairing | None) -> None:
        corners = None if found is None else found.he_um if side == "he" else found.ihc_um
        to_world = self.place_of(side)
        if found is None or corners is None or to_world is None:
            glass.show_patch(None)
        else:
            places = [(float(row), float(col)) for row, col in to_world(corners)]
            glass.show_patch(places, matched=found.matched)

    def themed(self) -> None:
        """Let the second canvas follow napari's theme."""
        self.partner.theme = self.viewer.theme

    def closed(self) -> None:
        """Unlink, and give the main canvas its H&E back."""
        self._rest.stop()
        self.session.tool = ""
        self.shared.close()
        self.main_glass.hold(None)
        self.pairs.leave()
        if self.cameras is not None:
            self.cameras.close()
            self.cameras = None
        self.curtain.forget()
        for viewer, side in ((self.viewer, "ihc"), (self.partner, "he")):
            viewer.mouse_move_callbacks.remove(self._mouse[side])
        for key in self._keys:
            self.viewer.bind_key(key, None, overwrite=True)
        self.partner.keymap.clear()  # its keys hold the dock, and a job that ends later may hold the partner
        self.controller.canvas.turn(None)
        self._share(on=False)
        self.main_glass.show_ring(None)
        self.main_glass.show_patch(None)
        self.glass.leave()
        bring_layer_docks(self.viewer, self._hidden)
        self.studio.refresher.unfollow(self.partner)
        self.side.close()
        self.qt_viewer.close()
        self.qt_viewer.deleteLater()
