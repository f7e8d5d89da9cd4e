"""The plugin door: installed is not enabled, and a broken plugin is an error in words before a run begins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import autoagent
from autoagent.door.tools import Plugin, Tool, ToolContext, tool
from autoagent.errors import UsageError
from autoagent.goal import Allow, Goal
from autoagent.plugin_host.installed import installed
from autoagent.plugin_host.loading import load, misspelt

PING = '''
from autoagent import Observation, Plugin, ToolContext, ToolError, WorkspaceFile, WorkspacePath, tool

@tool(effect="external", destination="url")
async def ping_send(ctx: ToolContext, url: str) -> str:
    """Send one ping.

    Args:
        url: Where to.
    """
    return url

plugin = Plugin(name="ping", tools=[ping_send])
'''
"""The smallest plugin, as a third party writes it."""

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Lays a package with one entry point on the path, as an installer does."""

    def lay(code: str, name: str = "ping", module: str = "third_party_ping", value: str = "plugin") -> Path:
        site = tmp_path / module
        package = site / module
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(code)
        dist = site / f"{module}-1.2.dist-info"
        dist.mkdir()
        (dist / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.2\n")
        (dist / "entry_points.txt").write_text(f"[autoagent.plugins]\n{name} = {module}:{value}\n")
        monkeypatch.syspath_prepend(str(site))
        return package

    yield lay
    for module in [m for m in sys.modules if m.startswith("third_party_")]:
        del sys.modules[module]


def wanting(*names: str) -> Goal:
    return Goal(goal="g", plugins=names)


def named(name: str) -> Tool:
    async def act(ctx: ToolContext) -> str:
        """Act."""
        return ""

    act.__name__ = name
    return tool(effect="read")(act)


class TestEntryPoints:
    """Packages that announce a plugin."""

    def test_third_party_plugin_comes_in_as_ours(self, install: Install) -> None:
        """Its tools are there under its name, with a hash of its code."""
        install(PING)
        loaded = load(wanting("ping", "files"))

        assert loaded.tools["ping_send"].plugin == "ping"
        assert loaded.tools["files_read"].plugin == "files"
        assert set(loaded.hashes) == {"ping", "files"}
        assert all(len(sha256) == 64 for sha256 in loaded.hashes.values())

    def test_installed_is_not_enabled(self, install: Install, tmp_path: Path) -> None:
        """A plugin that the goal doesn't name is listed and never imported."""
        proof = tmp_path / "imported"
        install(f"open({str(proof)!r}, 'w').close()\n" + PING)
        assert "ping" not in load(wanting("files")).hashes
        (found,) = [p for p in installed() if p.name == "ping"]
        assert (found.package, found.version, found.target) == (
            "third_party_ping",
            "1.2",
            "third_party_ping:plugin",
        )
        assert not proof.exists()

        load(wanting("ping"))
        assert proof.exists()

    def test_hash_follows_the_code(self, install: Install) -> None:
        """A change anywhere in the package's code changes it; data and compiled copies do not."""
        package = install(PING)
        first = load(wanting("ping")).hashes["ping"]
        (package / "notes.txt").write_text("data")
        (package / "__pycache__").mkdir(exist_ok=True)
        (package / "__pycache__" / "x.cpython-311.pyc").write_text("")
        assert load(wanting("ping")).hashes["ping"] == first

        (package / "inner").mkdir()
        (package / "inner" / "more.py").write_text("")
        second = load(wanting("ping")).hashes["ping"]
        (package / "inner" / "more.py").rename(package / "more.py")
        assert len({first, second, load(wanting("ping")).hashes["ping"]}) == 3

    def test_unknown_plugin(self, install: Install) -> None:
        """The error names what is near, or what there is."""
        install(PING)
        with pytest.raises(
            UsageError, match="needs the plugin 'pong', which isn't installed; did you mean 'ping'"
        ):
            load(wanting("pong"))
        with pytest.raises(UsageError, match=r"needs the plugin 'xyz', .*installed are: .*files"):
            load(wanting("xyz"))

    def test_two_packages_of_one_name(self, install: Install) -> None:
        """Which of them is meant nobody can say; neither is imported."""
        install("raise SystemExit('imported')", module="third_party_one")
        install("raise SystemExit('imported')", module="third_party_two")

        with pytest.raises(UsageError, match=r"two installed packages offer a plugin 'ping': .*; remove one"):
            load(wanting("ping"))
        load(wanting("files"))

    def test_one_package_seen_twice_is_one(self, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
        """An editable installation and its source folder announce the same."""
        source = install(PING).parent / "third_party_ping-1.2.dist-info"
        other = source.parent.with_name("other") / "again-1.2.dist-info"
        shutil.copytree(source, other)
        (other / "METADATA").write_text("Metadata-Version: 2.1\nName: again\nVersion: 1.2\n")
        monkeypatch.syspath_prepend(str(other.parent))

        assert [p.package for p in installed() if p.name == "ping"] == ["again", "third_party_ping"]
        assert "ping_send" in load(wanting("ping")).tools

    @pytest.mark.parametrize(
        ("code", "why"),
        [
            ("import nothing_of_this_name", "can't be imported: ModuleNotFoundError: No module named"),
            ("1/0", "can't be imported: ZeroDivisionError"),
            ("import sys; sys.exit(3)", "can't be imported: SystemExit: 3"),
            ("plugins = []", "can't be imported: AttributeError"),
            ("plugin = 3", r"\(third_party_ping:plugin\) is no autoagent.Plugin but int"),
            (
                "from autoagent import Plugin\nplugin = Plugin(name='pong')",
                "its Plugin value is named 'pong'; both names must agree",
            ),
            (
                "from autoagent import Plugin\nplugin = Plugin(name='ping', tools=None)",
                "its tools are None; expected a list of tools",
            ),
            (
                "from autoagent import Plugin\nplugin = Plugin(name='ping', tools=[print])",
                "<built-in function print> is no tool; decorate it with @tool",
            ),
        ],
    )
    def test_broken_plugin(self, install: Install, code: str, why: str) -> None:
        """What is wrong is said with the plugin's name."""
        install(code)
        with pytest.raises(UsageError, match=f"plugin 'ping'.*{why}"):
            load(wanting("ping"))


class TestValues:
    """Plugins given as values, and what any plugin must keep to."""

    def test_given_plugins_need_no_entry_point(self) -> None:
        """They are enabled besides those that the goal names."""
        loaded = load(wanting("files"), [Plugin("own", [named("own_look")])])

        assert loaded.tools["own_look"].plugin == "own"
        assert "files_read" in loaded.tools

    def test_given_plugins_are_hashed_by_the_files_of_their_tools(self, tmp_path: Path) -> None:
        """An approval doesn't outlive a change of the code, wherever that code stands."""
        hashes = set()
        for text in ("first", "second"):
            file = tmp_path / "given_plugin.py"
            file.write_text(PING.replace("Send one ping", text))
            spec = spec_from_file_location("given_plugin", file)
            assert spec is not None
            assert spec.loader is not None
            module = sys.modules["given_plugin"] = module_from_spec(spec)
            spec.loader.exec_module(module)
            hashes.add(load(wanting(), [module.plugin]).hashes["ping"])
        del sys.modules["given_plugin"]

        assert len(hashes) == 2
        assert load(wanting(), [Plugin("empty")]).hashes == {"empty": ""}

    def test_a_given_plugin_stands_in_for_an_installed_one(self) -> None:
        """A test can put its own in the place of a real one."""
        assert set(load(wanting("files"), [Plugin("files", [named("files_look")])]).tools) == {"files_look"}

    def test_tool_names_are_there_once(self) -> None:
        """Two plugins, or one, with the same tool name."""
        one, two = Plugin("one", [named("look")]), Plugin("two", [named("look")])
        with pytest.raises(
            UsageError, match="the tool 'look' is there twice, in the plugins 'one' and 'two'"
        ):
            load(wanting(), [one, two])
        with pytest.raises(UsageError, match="the tool 'look' is there twice"):
            load(wanting(), [Plugin("one", [named("look"), named("look")])])

    @pytest.mark.parametrize("name", ["finish", "give_up", "ask_human", "read_again", "script"])
    def test_names_of_our_own_are_taken(self, name: str) -> None:
        """No plugin can stand in for what steers a lane."""
        with pytest.raises(UsageError, match=f"the tool name '{name}' is taken by autoagent itself"):
            load(wanting(), [Plugin("own", [named(name)])])


class TestGoal:
    """Which plugins a goal enables."""

    def test_powers_imply_plugins(self) -> None:
        """Without `plugins:`, what `allow` gives is what is needed."""
        assert Goal(goal="g").enabled_plugins == ("files", "memory")
        allow = Allow(run="sandbox", web=("*",), send={"mail": ("a@b",)})
        assert Goal(goal="g", allow=allow).enabled_plugins == ("files", "memory", "python", "web", "mail")
        assert Goal(goal="g", allow=allow, plugins=()).enabled_plugins == ()

    def test_ours_are_loaded_through_the_same_door(self) -> None:
        """The plugins of this package are found by their entry points."""
        loaded = load(wanting("files", "memory", "python"))

        assert {t.plugin for t in loaded.tools.values()} == {"files", "memory", "python"}
        assert loaded.tools["python_run"].runs_code


class TestPackage:
    """What `import autoagent` gives."""

    def test_every_public_name_is_there(self) -> None:
        """Each name of `__all__` is found in its module when it is first asked for."""
        for name in autoagent.__all__:
            assert getattr(autoagent, name) is not None

    def test_unknown_names_are_refused(self) -> None:
        """As for any module."""
        with pytest.raises(AttributeError, match="module 'autoagent' has no attribute 'nothing'"):
            _ = autoagent.nothing

    def test_importing_it_is_light(self) -> None:
        """The command line imports the package for its version; pydantic alone costs 100 ms."""
        code = "import sys, autoagent; print(*{name.partition('.')[0] for name in sys.modules})"
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
        )

        assert "autoagent" in ran.stdout.split()
        assert not {"pydantic", "openai", "typer", "asyncio"} & set(ran.stdout.split())


def test_a_name_under_never_that_fits_no_tool_is_said() -> None:
    """With the nearest one, where there is any."""
    goal = Goal(goal="g", never=("shop_pya", "fly", "shop_pay"))

    assert [*misspelt(goal, ["shop_pay", "files_read"])] == [
        "'never' lists 'shop_pya', and no tool of this run has that name; did you mean 'shop_pay'?",
        "'never' lists 'fly', and no tool of this run has that name",
    ]
