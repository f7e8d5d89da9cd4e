"""Settings: the environment, config.toml, and every mistake in them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from autoagent.errors import UsageError
from autoagent.ports import ModelRole
from autoagent.settings import OPENAI_URL, ModelSettings, Settings, load

ROLES: tuple[ModelRole, ...] = ("planner", "worker", "judge")

TWO_MODELS = """
[models.large]
model = "gpt-5.2"
price = {prompt = 1.25, completion = 10}

[models.small]
model = "qwen2.5-coder:1.5b"
base_url = "http://127.0.0.1:8100/v1/"
key_env = "LOCAL_KEY"
style = "code"
context_tokens = 16000
temperature = 0
"""


def config(home: Path, text: str, **environment: str) -> Settings:
    (home / "config.toml").write_text(text, encoding="utf-8")
    return load(home, environment)


def complaint(home: Path, text: str, **environment: str) -> str:
    with pytest.raises(UsageError) as caught:
        config(home, text, **environment)
    return str(caught.value).replace(str(home), "HOME")


def names(settings: Settings, role: ModelRole, name: str | None = None) -> list[str]:
    return [model.model for model in settings.chain(role, name)]


def test_three_variables_are_enough(tmp_path: Path) -> None:
    """OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL name a model for every role."""
    given = {"OPENAI_BASE_URL": "http://localhost:9/v1", "OPENAI_API_KEY": "sk-1", "OPENAI_MODEL": "m"}
    settings = load(tmp_path, given)

    assert [names(settings, role) for role in ROLES] == [["m"]] * 3
    (model,) = settings.chain("worker")
    assert model.base_url == "http://localhost:9/v1"
    key = settings.key(model.key_env)
    assert key is not None
    assert key.get_secret_value() == "sk-1"


def test_nothing_set_is_no_model(tmp_path: Path) -> None:
    """Without a file and variables no role has a model, and that is no error."""
    assert load(tmp_path, {}).chain("worker") == ()
    assert load(tmp_path, {"OPENAI_MODEL": "  ", "OPENAI_API_KEY": ""}).chain("worker") == ()


def test_the_base_url_has_a_default(tmp_path: Path) -> None:
    """A model without an address is OpenAI's."""
    assert load(tmp_path, {"OPENAI_MODEL": "m"}).chain("worker")[0].base_url == OPENAI_URL


def test_a_file_names_several_models(tmp_path: Path) -> None:
    """Each table [models.NAME] is a model, numbers exact, the address without its last slash."""
    settings = config(tmp_path, TWO_MODELS, LOCAL_KEY="k")
    large, small = settings.models["large"], settings.models["small"]

    assert large.price is not None
    assert (large.price.prompt, large.price.completion) == (Decimal("1.25"), Decimal(10))
    assert (small.base_url, small.style) == ("http://127.0.0.1:8100/v1", "code")
    assert settings.key(small.key_env) is not None
    assert settings.key(large.key_env) is None


def test_roles_list_models_by_preference(tmp_path: Path) -> None:
    """[roles] gives each role its models, first choice first."""
    text = TWO_MODELS + '[roles]\nplanner = ["large", "small"]\nworker = ["small"]\n'
    settings = config(tmp_path, text)

    assert names(settings, "planner") == ["gpt-5.2", "qwen2.5-coder:1.5b"]
    assert names(settings, "worker") == ["qwen2.5-coder:1.5b"]
    assert names(settings, "judge") == names(settings, "worker")


def test_without_roles_the_first_model_plays_all(tmp_path: Path) -> None:
    """A file without [roles] gives every role its first model."""
    assert names(config(tmp_path, TWO_MODELS), "judge") == ["gpt-5.2"]


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    """OPENAI_MODEL plays every role, and a model of the file can still be asked for by name."""
    settings = config(tmp_path, TWO_MODELS, OPENAI_MODEL="m")

    assert names(settings, "worker") == ["m"]
    assert names(settings, "worker", "small") == ["qwen2.5-coder:1.5b"]


def test_a_name_is_a_model_of_the_server_where_there_is_no_file(tmp_path: Path) -> None:
    """`--model X` needs no file: X is asked of the environment's server."""
    settings = load(tmp_path, {"OPENAI_BASE_URL": "http://localhost:9/v1", "OPENAI_MODEL": "m"})
    (model,) = settings.chain("worker", "other")

    assert (model.model, model.base_url) == ("other", "http://localhost:9/v1")


def test_a_name_needs_an_address_alone(tmp_path: Path) -> None:
    """`--model X` goes to OPENAI_BASE_URL where OPENAI_MODEL isn't set; a wrong address is refused."""
    (model,) = load(tmp_path, {"OPENAI_BASE_URL": "http://localhost:9/v1"}).chain("worker", "other")

    assert (model.model, model.base_url) == ("other", "http://localhost:9/v1")
    with pytest.raises(
        UsageError, match="OPENAI_BASE_URL is 'localhost:9'; expected an http or https address"
    ):
        load(tmp_path, {"OPENAI_BASE_URL": "localhost:9"})


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    """With how to do without it; a server of one's own needs none."""
    settings = load(tmp_path, {})

    assert settings.keyless(ModelSettings(model="m", base_url="http://localhost:9/v1")) is None
    assert settings.keyless(*settings.chain("worker", "m")) == (
        f"OPENAI_API_KEY is not set, and 'm' at {OPENAI_URL} needs a key; "
        "set it, or OPENAI_BASE_URL for a server of your own"
    )


def test_a_name_that_the_file_does_not_hold_is_refused(tmp_path: Path) -> None:
    """A misspelt model is an error that names the right one."""
    with pytest.raises(UsageError, match=r"no model is named 'larg' in config\.toml; did you mean 'large'"):
        config(tmp_path, TWO_MODELS).chain("planner", "larg")


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    """No key stands in the representation or the dump of the settings."""
    settings = config(tmp_path, TWO_MODELS, OPENAI_API_KEY="sk-secret", LOCAL_KEY="other-secret")

    assert "-secret" not in repr(settings)
    assert "-secret" not in settings.model_dump_json()


def test_memory_and_sandbox_are_set(tmp_path: Path) -> None:
    """[memory] and [sandbox] are read, and have defaults."""
    text = '[memory]\nurl = "http://localhost:6333"\n[sandbox]\nkind = "monty"\nmemory_mb = 128\n'
    settings = config(tmp_path, text)

    assert settings.memory.url == "http://localhost:6333"
    assert (settings.sandbox.kind, settings.sandbox.memory_mb) == ("monty", 128)
    assert Settings().sandbox.kind == "auto"
    assert Settings().memory.url is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "[models.a\n",
            "HOME/config.toml: is no TOML: Expected ']' at the end of a table declaration (at line 1",
        ),
        ('[model.a]\nmodel = "x"\n', "unknown table [model]; did you mean 'models'?"),
        ('[models.a]\nmodle = "x"\n', "[models.a] has no key 'modle'; did you mean 'model'?"),
        ('[models.a]\nbase_url = "http://x/v1"\n', "[models.a] model is missing"),
        ('[models.a]\nmodel = "x"\nkey = "sk-1"\n', "name that as key_env"),
        (
            '[models.a]\nmodel = "x"\nbase_url = "localhost:80"\n',
            "[models.a] base_url is 'localhost:80'; expected",
        ),
        ('[models.a]\nmodel = "x"\nbase_url = "http://h/v1/chat/completions"\n', "leave that out"),
        (
            '[models.a]\nmodel = "x"\nmax_tokens = "many"\n',
            "[models.a] max_tokens is 'many'; expected a valid int",
        ),
        (
            '[models.a]\nmodel = "x"\nmax_tokens = true\n',
            "[models.a] max_tokens is True; expected a valid int",
        ),
        ('[models.a]\nmodel = "x"\nmax_tokens = 0\n', "[models.a] max_tokens is 0; expected greater than"),
        (
            '[models.a]\nmodel = "x"\nstyle = "jazz"\n',
            "[models.a] style is 'jazz'; expected 'tools', 'code' or",
        ),
        ('[models.a]\nmodel = "x"\nprice = {prompt = 1}\n', "[models.a.price] completion is missing"),
        ('[models.a]\nmodel = "x"\nprice = {prompt = 1, completoin = 1}\n', "did you mean 'completion'"),
        ('[models.a]\nmodel = "x"\ntemperature = nan\n', "temperature is nan; expected less than"),
        ('[models.a]\nmodel = "x"\nstyle = 1979-05-27\n', "style is '1979-05-27'; expected"),
        ('models = "x"\n', "[models] is 'x'; expected"),
        ('[models.a]\nmodel = "x"\n[roles]\nworker = ["b"]\n', "[roles] worker names 'b', which is no table"),
        ('[models.a]\nmodel = "x"\n[roles]\nworker = "a"\n', "[roles] worker is 'a'; expected a valid"),
        ("[sandbox]\nmemory = 3\n", "[sandbox] has no key 'memory'; did you mean 'memory_mb'?"),
        ('[memory]\nurl = "qdrant"\n', "[memory] url is 'qdrant'; expected an http or https address"),
        (
            '[secrets]\nX = "y"\n',
            "[secrets] X is no table: no secret stands in this file, put it into a variable or",
        ),
    ],
)
def test_a_mistake_is_named_by_file_table_and_key(tmp_path: Path, text: str, wanted: str) -> None:
    """Each mistake says where it is, what is there, and what was expected."""
    said = complaint(tmp_path, text)

    assert said.startswith("HOME/config.toml")
    assert wanted in said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[models.a]\nmodel = "x"\n\nmax_tokens = 0\n', ":4: "),
        ('[memory]\n\n[models.a]\nbase_url = "http://h"\n', ":3: "),  # what is missing: its table
        ('[models."a.b"]\nmodel = "x"\nodd = 1\n', ": "),  # a name that can't be found so simply
        ("sandbox = 1\n", ":1: "),
        ("[odd]\n", ":1: "),
        ("[sandbox]\n'memory' = 3\n", ":2: "),
    ],
)
def test_a_mistake_is_named_by_its_line(tmp_path: Path, text: str, line: str) -> None:
    """The key's, else its table's."""
    assert complaint(tmp_path, text).startswith(f"HOME/config.toml{line}")


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    """A file with two mistakes gives two lines."""
    assert len(complaint(tmp_path, "[sandbox]\nmemory = 3\nkind = 1\n").splitlines()) == 2


def test_a_password_in_an_address_is_refused_and_not_shown(tmp_path: Path) -> None:
    """An address with a password is an error that doesn't repeat it."""
    text = '[models.a]\nmodel = "x"\nbase_url = "https://me:hunter2@host/v1"\n'
    said = complaint(tmp_path, text)

    assert "key_env" in said
    assert "hunter2" not in said


def test_a_wrong_address_in_the_environment_is_named(tmp_path: Path) -> None:
    """OPENAI_BASE_URL is checked as the file's addresses are."""
    with pytest.raises(UsageError, match="OPENAI_BASE_URL is 'host/v1'; expected an http"):
        load(tmp_path, {"OPENAI_MODEL": "m", "OPENAI_BASE_URL": "host/v1"})


def test_a_folder_instead_of_the_file_is_named(tmp_path: Path) -> None:
    """What can't be read is an error, not an empty file."""
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(UsageError, match="can't be read"):
        load(tmp_path, {})
