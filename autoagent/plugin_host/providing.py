"""Models and embedders that come from plugins, made for the settings that name one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from autoagent.door.providers import Embedder, ModelSpec, ProviderContext
from autoagent.door.tools import Plugin
from autoagent.errors import AutoagentError, ModelUnavailable, UsageError
from autoagent.messages import Reply
from autoagent.plugin_host import loading as plugins
from autoagent.plugin_host.opening import reach_of_settings
from autoagent.ports import Listener, Model, ModelRequest, Outward, Price
from autoagent.reach import reach_of_urls
from autoagent.redact import one_line
from autoagent.settings import ModelSettings, Settings


@dataclass(frozen=True)
class ModelOfPlugin:
    """A plugin's model: whatever its code does, there is a reply, or `ModelUnavailable`."""

    model: Model
    plugin: str

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def style(self) -> Literal["tools", "code"]:
        return self.model.style

    @property
    def price(self) -> Price:
        return self.model.price

    async def reply(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        try:
            reply = await self.model.reply(request, listener)
        except AutoagentError:
            raise
        except Exception as error:  # foreign code
            said = one_line(f"{type(error).__name__}: {error}", 300)
            raise ModelUnavailable(f"the plugin {self.plugin!r} gave no reply: {said}") from error
        if not isinstance(reply, Reply):
            raise ModelUnavailable(
                f"the plugin {self.plugin!r} gave {type(reply).__name__}; expected a Reply"
            )
        return reply

    async def close(self) -> None:
        await self.model.close()


@dataclass(frozen=True)
class Providers:
    """Makes what the settings want from plugins, which needn't be enabled for any run."""

    home: Path
    settings: Settings
    environment: Mapping[str, str]
    outward: Outward
    given: Sequence[Plugin] = ()
    """Plugins given as values."""

    def model(self, wanted: ModelSettings, price: Price) -> Model:
        """The model of a table whose `provider` is a plugin. Raises `UsageError`."""
        assert wanted.provider is not None
        who = f"{self.settings.path}: 'provider' of the model {wanted.model!r} names"
        plugin, context = self._plugin(wanted.provider, who)
        if plugin.models is None:
            raise UsageError(f"{who} the plugin {plugin.name!r}, which provides no models")
        base_url = wanted.base_url if "base_url" in wanted.model_fields_set else None
        own, named = reach_of_settings(context.settings), reach_of_urls([base_url or ""], "the settings")
        reach = replace(own, hosts=(*own.hosts, *named.hosts))
        spec = ModelSpec(
            model=wanted.model,
            base_url=base_url,
            # one that isn't named is another server's
            key=self.settings.key(wanted.key_env) if "key_env" in wanted.model_fields_set else None,
            style=wanted.style,
            price=price,
            context_tokens=wanted.context_tokens,
            max_tokens=wanted.max_tokens,
            temperature=wanted.temperature,
            timeout_s=wanted.timeout_first_byte_s,
            tries=wanted.tries,
        )
        context = replace(context, http=self.outward.http(reach)[0])
        return ModelOfPlugin(
            plugins.provided(partial(plugin.models, context, spec), plugin.name), plugin.name
        )

    def embedder(self, name: str) -> Embedder:
        """The embedder that `[memory] embed` names. Raises `UsageError`."""
        who = f"{self.settings.path}: [memory] embed names"
        plugin, context = self._plugin(name, who)
        if plugin.embeddings is None:
            raise UsageError(f"{who} the plugin {plugin.name!r}, which provides no embeddings")
        return plugins.provided(partial(plugin.embeddings, context), plugin.name)

    def _plugin(self, name: str, who: str) -> tuple[Plugin, ProviderContext]:
        given = {plugin.name: plugin for plugin in self.given}
        loaded = plugins.load_named(name, given, self.settings, self.environment, self.home, who)
        own = loaded.own
        context = ProviderContext(name, home=loaded.home)
        if own is not None:
            context = replace(context, settings=own.values, secrets=own.secrets)
        http, _ = self.outward.http(reach_of_settings(context.settings))
        return loaded.plugin, replace(context, http=http)
