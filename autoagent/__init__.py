"""autoagent: goal-driven agents that can be left alone."""

from __future__ import annotations

__version__ = "0.1.0"
