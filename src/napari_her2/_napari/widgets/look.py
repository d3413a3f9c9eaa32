"""Colours and style of the panel, taken from napari's theme: at home in the dark and the light one."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Look", "look_of", "readable_on"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Colours as ``#rrggbb``; ``base_pt`` is the size of ordinary text."""

    background: str
    card: str
    line: str
    button: str
    text: str
    dim: str
    accent: str
    warning: str
    error: str
    good: str
    base_pt: float

    @property
    def style(self) -> str:
        """Style sheet of the whole panel."""
        small, base, large = self.base_pt - 0.5, self.base_pt, self.base_pt + 1
        return f"""
        #her2 QLabel {{ background: transparent; font-size: {base}pt; padding: 0; }}
        #her2 QScrollArea, #her2 QWidget#content {{ background: {self.background}; border: 0; }}
        #her2 QFrame#card {{ background: {self.card}; border-radius: 5px; }}
        #her2 QFrame#card QWidget {{ background: transparent; }}
        #her2 QLabel[kind="title"] {{ font-size: {large}pt; font-weight: 600; }}
        #her2 QLabel[kind="state"], #her2 QLabel[kind="small"] {{
            color: {self.dim}; font-size: {small}pt; }}
        #her2 QLabel[kind="strong"] {{ font-weight: 600; }}
        #her2 QLabel[kind="status"] {{ font-size: {base + 4}pt; font-weight: 600; }}
        #her2 QLabel[kind="provisional"] {{ color: {self.warning}; font-weight: 600; }}
        #her2 QLabel[kind="footer"] {{ color: {self.dim}; font-size: {small}pt; padding: 4px; }}
        #her2 QLabel[message="error"] {{
            background: {self.error}; color: {readable_on(self.error)}; border-radius: 4px; }}
        #her2 QLabel[message="warning"] {{
            background: {self.warning}; color: {readable_on(self.warning)}; border-radius: 4px; }}
        #her2 QLabel[message="info"] {{ background: {self.button}; border-radius: 4px; }}
        #her2 QFrame#card QPushButton, #her2 QFrame#card QToolButton {{
            background: {self.button}; border-radius: 3px; padding: 4px 9px; font-size: {base}pt; }}
        #her2 QFrame#card QToolButton#close {{ padding: 0; background: transparent; }}
        #her2 QFrame#card QPushButton:hover, #her2 QFrame#card QToolButton:hover {{
            background: {self.line}; }}
        #her2 QFrame#card QPushButton:checked {{
            background: {self.accent}; color: {readable_on(self.accent)}; }}
        #her2 QFrame#card QPushButton:disabled, #her2 QFrame#card QToolButton:disabled {{
            background: transparent; border: 1px solid {self.button}; color: {self.dim}; }}
        #her2 QFrame#card QPushButton#primary {{
            background: {self.accent}; color: {readable_on(self.accent)}; font-weight: 600; padding: 7px; }}
        #her2 QFrame#card QPushButton#primary:disabled {{
            background: {self.button}; color: {self.dim}; border: 0; }}
        #her2 QFrame#card QComboBox, #her2 QFrame#card QDoubleSpinBox {{
            background: {self.button}; border-radius: 3px; padding: 3px 6px; font-size: {base}pt; }}
        #her2 QProgressBar {{ background: {self.button}; border: 0; border-radius: 3px; max-height: 7px; }}
        #her2 QProgressBar::chunk {{ background: {self.accent}; border-radius: 3px; }}
        #her2 QCheckBox {{ font-size: {base}pt; padding: 1px; }}
        #her2 QFrame#drop {{ border: 1px dashed {self.line}; border-radius: 5px; background: transparent; }}
        #her2 QFrame#rule {{ background: {self.button}; max-height: 1px; min-height: 1px; }}
        """


def look_of(theme_id: str) -> Look:
    """Return the look for a napari theme."""
    from napari.utils.theme import get_theme

    theme = get_theme(theme_id)
    dark = theme.type == "dark"
    return Look(
        background=theme.background.as_hex(format="long"),
        card=theme.foreground.as_hex(format="long"),
        line=theme.secondary.as_hex(format="long"),
        button=theme.primary.as_hex(format="long"),
        text=theme.text.as_hex(format="long"),
        dim="#a9aeb5" if dark else "#55565a",
        accent="#4f74d9" if dark else "#3457b8",
        warning="#e3b617" if dark else "#8a5a00",
        error="#b3202f" if dark else "#c00016",
        good="#5cb874" if dark else "#1b7837",
        base_pt=float(theme.font_size.removesuffix("pt")),
    )


def readable_on(colour: str) -> str:
    """Return black or white, whichever reads better on a ``#rrggbb`` colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#1e1e21" if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else "#ffffff"
