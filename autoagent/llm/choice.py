"""Which model plays which role: from the settings, or from a recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autoagent.errors import ModelUnavailable, UsageError
from autoagent.goal import Goal
from autoagent.goal.file import goal_digest
from autoagent.llm.fallback import FallbackModel
from autoagent.llm.openai_model import OpenAIModel
from autoagent.llm.prices import quote
from autoagent.llm.recorded import RecordedModel
from autoagent.llm.recording import Recording, read_recording
from autoagent.llm.recording_of_run import recording_of_run
from autoagent.loop.context import Models
from autoagent.ports import Journal, Model, ModelRole, Price
from autoagent.settings import ModelSettings, Settings
from autoagent.trees import Tree

OnNote = Callable[[str], None]
Provided = Callable[[ModelSettings, Price], Model]
"""Makes a model whose provider is a plugin, at this price. Raises `UsageError`."""


def _of_no_plugin(model: ModelSettings, price: Price) -> Model:
    raise UsageError(
        f"the model {model.model!r} comes from the plugin {model.provider!r}; none is loaded here"
    )


def configured_models(
    settings: Settings, goal: Goal, model: str | None, on_note: OnNote, provided: Provided = _of_no_plugin
) -> Models | None:
    """The models of the settings; `None` where none is set. Raises `UsageError` for an unknown name."""
    chain = settings.chain("worker", model or goal.model.worker)
    if not chain:
        return None

    def of(role: ModelRole) -> Model | None:
        """The role's own model; `None` where it is the worker's."""
        chosen = settings.chain(role, model or getattr(goal.model, role) or None)
        return None if not chosen or chosen == chain else _model(settings, chosen, on_note, provided)

    worker = _model(settings, chain, on_note, provided)
    planner, judge = of("planner") or worker, of("judge") or worker
    stronger = planner if planner is not worker else None
    return Models(worker, planner, judge, stronger, context_tokens=chain[0].context_tokens)


def _model(
    settings: Settings, chain: tuple[ModelSettings, ...], on_note: OnNote, provided: Provided
) -> Model:
    """Raises `ModelUnavailable` where a key is needed and not set: no request could succeed."""
    for chosen in chain:
        if why := settings.keyless(chosen):
            raise ModelUnavailable(why)
    models: list[Model] = [
        OpenAIModel(s, settings.key(s.key_env), on_retry=on_note)
        if s.provider is None
        else provided(s, _price(s, on_note))
        for s in chain
    ]
    return models[0] if len(models) == 1 else FallbackModel(models, on_note)


def _price(model: ModelSettings, on_note: OnNote) -> Price:
    """What a plugin's model costs, by the settings or by its name."""
    given = None if model.price is None else Price(model.price.prompt, model.price.completion)
    found = quote(model.model, model.base_url if "base_url" in model.model_fields_set else "", given)
    if found.note:
        on_note(found.note)
    return found.price


def recorded_models(
    source: str, goal: Goal, inputs: Tree, journal: Journal, on_note: OnNote, *, strict: bool = False
) -> Models:
    """A recording in every role. Raises `RecordingMiss` where goal or files aren't as recorded."""
    recording = _recording(source, journal)
    files = {path: entry.sha256 for path, entry in inputs.entries.items() if entry.kind != "folder"}
    recording.check_inputs(goal_digest(goal), files)
    made_by = recording.header.made_by
    on_note(f"no model is called: replies come from a recording ({made_by}); everything else runs for real")
    model = RecordedModel(recording, strict=strict)
    return Models(model, model, model, recorded=True)


def _recording(source: str, journal: Journal) -> Recording:
    """From a file, or from the journal of an earlier run."""
    path = Path(source)
    if path.exists():
        return read_recording(path)
    if source not in {head.id for head in journal.runs()}:
        raise UsageError(f"{source!r} is neither a recording's file nor a run; 'autoagent runs' lists them")
    return recording_of_run(journal, source)
