"""Colours. Green means proved and nothing else; every state has a sign and a word beside its colour."""

from __future__ import annotations

from textual.theme import Theme

DEFAULTS = {"quiet": "#808890", "cursor-row": "#35507a"}
"""Of themes that aren't ours."""

THEMES = (
    Theme(
        name="autoagent",
        primary="#6aa3e8",
        secondary="#d78ee6",
        accent="#7fb8ff",
        warning="#f0b950",
        error="#ff8a8a",
        success="#57c98a",
        foreground="#e6e9ed",
        background="#14171b",
        surface="#1a1e24",
        panel="#232a32",
        dark=True,
        variables={"quiet": "#a3adb8", "cursor-row": "#273c5c"},
    ),
    Theme(
        name="autoagent-light",
        primary="#1a56a8",
        secondary="#86198f",
        accent="#1a56a8",
        warning="#7a5200",
        error="#a3232b",
        success="#11663a",
        foreground="#1c1f23",
        background="#ffffff",
        surface="#f7f9fa",
        panel="#e6eaee",
        dark=False,
        variables={"quiet": "#5a626c", "cursor-row": "#cfe0f5"},
    ),
    Theme(
        name="autoagent-contrast",
        primary="#ffffff",
        secondary="#ff9dff",
        accent="#8fd3ff",
        warning="#ffe000",
        error="#ff9a9a",
        success="#7dff9b",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#1c1c1c",
        dark=True,
        variables={"quiet": "#d0d0d0", "cursor-row": "#0b4a8f"},
    ),
)
