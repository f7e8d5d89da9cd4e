"""Settings of plugins: config.toml's `[plugins.NAME]` as the plugin's own model, and its secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runs import Cli
from loops import Stage, finish, plan, worker_prompts, write
from pydantic import BaseModel, Field

from autoagent.door.tools import Plugin, ToolContext, tool
from autoagent.errors import UsageError
from autoagent.goal import Goal
from autoagent.plugin_host.loading import load
from autoagent.settings import load as load_settings
from autoagent.testing.model import ScriptedModel, call

GOAL = "goal: g\nplugins: [files]\ndone_when: [{file: done.txt}]\n"
DONE = [write("done.txt", "x"), finish()]


class OfficeSettings(BaseModel):
    office: str
    stamps: int = Field(default=1, ge=1)
    password_env: str = "OFFICE_PASSWORD"


@tool(effect="read")
async def office_tell(ctx: ToolContext) -> str:
    """Tell what the settings say."""
    assert isinstance(ctx.settings, OfficeSettings)
    return f"{ctx.settings.office} {ctx.settings.stamps} {ctx.secret(ctx.settings.password_env)}"


@tool(effect="read")
async def office_fail(ctx: ToolContext) -> str:
    """Fail with a secret in the words."""
    assert isinstance(ctx.settings, OfficeSettings)
    raise ValueError(f"the server refused {ctx.secret(ctx.settings.password_env)!r}")


OFFICE = Plugin("office", [office_tell, office_fail], settings=OfficeSettings)


def stage_of(tmp_path: Path, table: str, plugin: Plugin = OFFICE) -> Stage:
    stage = Stage.at(tmp_path, plugins=[plugin])
    stage.home.mkdir()
    (stage.home / "config.toml").write_text(f"[plugins.office]\n{table}\n")
    return stage


async def told(stage: Stage, name: str) -> str:
    model = ScriptedModel(planner=[plan("a")], worker=[call(name), *DONE])
    await stage.start(GOAL, model)
    return worker_prompts(model)[1].last.text


async def test_a_tool_gets_its_plugins_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the model's own types, defaults filled in; what holds a secret is never shown."""
    monkeypatch.setenv("OFFICE_PASSWORD", "s3cret-word")

    assert (
        await told(stage_of(tmp_path, 'office = "Main St"'), "office_tell") == "Main St 1 [OFFICE_PASSWORD]"
    )


async def test_a_secret_is_struck_out_of_an_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a tool raises, the model reads the variable's name."""
    monkeypatch.setenv("OFFICE_PASSWORD", "s3cret-word")
    stage = stage_of(tmp_path, 'office = "x"')

    said = await told(stage, "office_fail")

    assert said == "office_fail failed: ValueError: the server refused '[OFFICE_PASSWORD]'"
    assert "s3cret" not in "".join(e.model_dump_json() for e in stage.journal.read(stage.run))


async def test_a_secret_that_is_not_set_is_named(tmp_path: Path) -> None:
    """The tool ends with which variable to set."""
    stage = stage_of(tmp_path, 'office = "x"\npassword_env = "NO_SUCH_VARIABLE"')

    assert "the variable NO_SUCH_VARIABLE isn't set" in await told(stage, "office_tell")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", ":1: [plugins.office] office is missing"),
        ('office = "x"\nstams = 2', ":3: [plugins.office] has no key 'stams'; did you mean 'stamps'?"),
        ('office = "x"\nstamps = 0', ":3: [plugins.office] stamps is 0; expected greater than or equal to 1"),
    ],
)
async def test_a_mistake_stops_a_run_before_it_begins(tmp_path: Path, table: str, said: str) -> None:
    """File, line, table, key, and what was expected."""
    stage = stage_of(tmp_path, table)

    with pytest.raises(UsageError) as raised:
        await told(stage, "office_tell")

    assert str(raised.value).startswith(f"{stage.home / 'config.toml'}{said}")
    assert stage.run == ""


async def test_a_plugin_without_settings_takes_none(tmp_path: Path) -> None:
    """A table for it is a mistake, not something that is overlooked."""
    stage = stage_of(tmp_path, "", Plugin("office", [office_tell]))

    with pytest.raises(UsageError, match=r"\[plugins.office\]: this plugin has no settings"):
        await told(stage, "office_tell")


async def test_settings_that_are_no_model_are_the_plugins_mistake(tmp_path: Path) -> None:
    """Said of the plugin, by name."""
    odd = Plugin("office", [office_tell], settings={"office": str})  # type: ignore[arg-type]

    with pytest.raises(UsageError, match=r"plugin 'office': its settings are .* expected a pydantic model"):
        await told(stage_of(tmp_path, 'office = "x"', odd), "office_tell")


def test_settings_are_part_of_the_plugins_hash(tmp_path: Path) -> None:
    """Another office is another plugin to whoever said yes; another password isn't."""
    hashes = []
    for office, password in [("a", "x"), ("a", "y"), ("b", "x")]:
        (tmp_path / "config.toml").write_text(f'[plugins.office]\noffice = "{office}"\n')
        environment = {"OFFICE_PASSWORD": password}
        settings = load_settings(tmp_path, environment)
        hashes.append(load(Goal(goal="g"), [OFFICE], settings, environment).hashes["office"])

    assert hashes[0] == hashes[1] != hashes[2]


async def test_doctor_looks_at_the_settings_of_plugins(tmp_path: Path) -> None:
    """Each table has a row: what is wrong with it, or that it is fine."""
    cli = Cli(tmp_path / "home", tmp_path, {"SMTP_PASSWORD": "x"})
    cli.home.mkdir()
    config = cli.home / "config.toml"
    mail = '[plugins.mail]\nhost = "smtp.example.org"\nfrom = "me@example.org"\nuser = "me"\n'

    config.write_text(f'{mail}password_env = "SMTP_PASSWORD"\n[plugins.nothing]\n')
    fine = (await cli("doctor", status=None)).out
    config.write_text(f'{mail}password_env = "NO_SUCH_VARIABLE"\n')
    unset = (await cli("doctor", status=None)).out

    assert "ok       plugin mail     configured in [plugins.mail] of" in fine
    assert "[plugins.nothing]: no plugin of that name is installed" in fine
    assert "the variable NO_SUCH_VARIABLE isn't set" in unset
