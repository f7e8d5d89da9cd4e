"""Every screen looks as its stored picture does; so does each picture in the docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from screens import (
    ANEW,
    DOCS,
    LOOKS,
    SNAPSHOTS,
    Look,
    difference,
    place_of,
    still_home,
    surroundings,
    visited,
)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with still_home(tmp_path_factory.mktemp("still") / "home") as home:
        yield home


@pytest.mark.parametrize("look", [*LOOKS, DOCS], ids=lambda look: look.name)
async def test_screens_look_as_they_did(still: Path, tmp_path: Path, look: Look) -> None:
    """Where one is meant to look otherwise, it is drawn anew, and the diff shows how."""
    other = []
    with surroundings(still, look):
        async for name, eye in visited(look):
            stored, drawn = place_of(name, look), eye.svg()
            if found := difference(stored, drawn):
                (tmp_path / stored.name).write_text(drawn, encoding="utf-8")
                other.append(f"{stored.name} is now {tmp_path / stored.name}:\n{found}")

    hint = f"\n\nTo take what is drawn now, all of it: {ANEW}"
    assert not other, "\n\n".join(other) + hint


def test_no_picture_is_left_over() -> None:
    """Each stored one is compared."""
    from screens import SCREENS

    compared = {place_of(name, look) for look in LOOKS for name in look.of or SCREENS}
    assert {*SNAPSHOTS.glob("*.svg")} == compared


def test_pictures_load_nothing() -> None:
    """No font, no image, no part of another file."""
    for file in (*SNAPSHOTS.glob("*.svg"), *(place_of(name, DOCS) for name in DOCS.of)):
        svg = file.read_text(encoding="utf-8")
        loaded = [*re.findall(r"url\((.)", svg), *re.findall(r"@import|@font-face|<image|href=", svg)]
        assert {*loaded} <= {"#"}, file
