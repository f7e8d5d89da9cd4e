"""OpenAPI: a service's own description becomes tools, each judged by what it would send, and where.

What is described is foreign: it names operations and says what they take, never where they go or what the
agent may do. FastMCP reads it; requests go out by the guarded client alone.
"""

from __future__ import annotations

from autoagent.door.tools import Plugin
from autoagent_openapi.opening import opened
from autoagent_openapi.settings import OpenApiSettings

plugin = Plugin(name="openapi", settings=OpenApiSettings, opened=opened, opening_s=180)
