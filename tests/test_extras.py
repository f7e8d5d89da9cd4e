"""What is missing for a plugin is told with the line that installs it: before a run, and by a tool."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autoagent.cli.app import status_of
from autoagent.door.extras import install_line, lacking, needs
from autoagent.errors import NotDone, UsageError
from autoagent.goal import Goal
from autoagent.plugin_host.installed import installed, missing
from autoagent.plugin_host.loading import load

Lay = Callable[..., None]
WEATHER = (
    "Provides-Extra: weather",
    "Provides-Extra: maps",
    "Requires-Dist: no_such_barometer>=2; extra == 'weather'",
    "Requires-Dist: no-such-atlas ; extra == 'maps'",
    "Requires-Dist: pydantic>=2; extra == 'weather'",
    "Requires-Dist: no-such-registry; sys_platform == 'win32' and extra == 'weather'",
)
SAID = (
    "the plugin 'weather' needs 'no_such_barometer', which isn't installed; "
    "run: pip install 'autoagent-weather[weather]'"
)


@pytest.fixture
def lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lay:
    """Puts a package that offers a plugin `weather` on the path; importing it would fail."""

    def put(*metadata: str) -> None:
        info = tmp_path / "autoagent_weather-0.3.dist-info"
        info.mkdir()
        head = "Metadata-Version: 2.1\nName: autoagent-weather\nVersion: 0.3\n"
        (info / "METADATA").write_text(head + "".join(f"{line}\n" for line in metadata))
        (info / "entry_points.txt").write_text("[autoagent.plugins]\nweather = autoagent_weather:plugin\n")
        (tmp_path / "autoagent_weather.py").write_text("raise SystemExit('imported')\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    return put


class TestNeeds:
    """Around an import."""

    def test_names_plugin_package_and_line(self, lay: Lay) -> None:
        """Of the package that offers the plugin, with the extra of the plugin's name."""
        lay(*WEATHER)

        with pytest.raises(NotDone) as raised, needs("weather"):
            import no_such_barometer.pressure  # type: ignore[import-not-found]  # noqa: F401

        assert str(raised.value) == SAID

    def test_without_such_an_extra_the_package_is_installed_again(self, lay: Lay) -> None:
        """Its own dependencies come with it."""
        lay("Requires-Dist: no-such-barometer")

        assert install_line("weather") == "pip install autoagent-weather"

    def test_what_belongs_to_no_plugin_is_an_extra_of_autoagent(self) -> None:
        """And who reads it is up to the caller."""
        with (
            pytest.raises(UsageError, match=r"^'keychain' needs 'no_such_ring'.*: pip install 'autoagent\[k"),
            needs("keychain", raises=UsageError),
        ):
            import no_such_ring  # type: ignore[import-not-found]  # noqa: F401

    def test_another_failure_of_an_import_goes_through(self) -> None:
        """A name that a module hasn't got is no missing package."""
        with pytest.raises(ImportError, match="no_such_name"), needs("weather"):
            from json import no_such_name  # type: ignore[attr-defined]  # noqa: F401


class TestWithoutImporting:
    """What the package's metadata says."""

    def test_lacking_are_the_plugins_own_requirements(self, lay: Lay) -> None:
        """Neither those of other extras, nor what is there, nor what may not hold here."""
        lay(*WEATHER)

        assert lacking("weather") == ("no_such_barometer",)

    def test_a_run_is_refused_before_it_begins(self, lay: Lay) -> None:
        """Without the import that would fail."""
        lay(*WEATHER)

        with pytest.raises(UsageError) as raised:
            load(Goal(goal="g", plugins=("weather",)))

        assert str(raised.value) == SAID
        assert "autoagent_weather" not in sys.modules

    def test_validate_notes_it(self, lay: Lay) -> None:
        """The sentence is the same."""
        lay(*WEATHER)

        assert list(missing(["files", "weather"])) == [SAID]

    def test_several_packages_are_a_list(self, lay: Lay) -> None:
        """With one "and"."""
        lay(*WEATHER, "Requires-Dist: no-such-vane", "Requires-Dist: no-such-gauge")

        (text,) = missing(["weather"])
        assert "needs 'no_such_barometer', 'no-such-vane' and 'no-such-gauge', which aren't installed" in text

    def test_the_list_of_plugins_says_it(self, lay: Lay, capsys: pytest.CaptureFixture[str]) -> None:
        """With the line to type."""
        lay(*WEATHER)

        assert status_of(["plugins", "list"]) == 0
        (row,) = (text for text in capsys.readouterr().out.splitlines() if text.startswith("weather"))
        assert row.split() == [
            *("weather", "autoagent-weather", "0.3", "incomplete", "needs", "no_such_barometer:"),
            *("pip", "install", "'autoagent-weather[weather]'"),
        ]

    def test_our_plugins_lack_nothing_here(self) -> None:
        """What the tests need is installed."""
        assert {p.name: p.lacks for p in installed() if p.package == "autoagent" and p.lacks} == {}


def test_what_enables_a_plugin_is_told() -> None:
    """As a goal without `plugins` does it."""
    enabled = {p.name: p.enabled for p in installed() if p.package == "autoagent"}

    assert enabled["files"] == enabled["memory"] == "always"
    assert (enabled["python"], enabled["mail"]) == ("allow.run", "by name")
