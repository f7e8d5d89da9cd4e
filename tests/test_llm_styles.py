"""How a model acts, guessed from its name."""

from __future__ import annotations

import pytest

from autoagent.llm.styles import style_of


@pytest.mark.parametrize(
    ("model", "style"),
    [
        ("qwen2.5-coder:1.5b", "code"),
        ("Qwen/Qwen2.5-Coder-0.5B-Instruct", "code"),
        ("qwen2.5-coder-3b-instruct-q4_k_m.gguf", "code"),
        ("0.5b", "code"),
        ("llama-3.2-1b", "code"),
        ("qwen2.5-coder:7b", "tools"),
        ("llama-3.2-3b", "tools"),
        ("qwen3-235b-a22b", "tools"),
        ("gpt-5.2", "tools"),
        ("deepseek-coder", "tools"),
        ("o4-mini", "tools"),
        ("", "tools"),
    ],
)
def test_small_models_write_scripts(model: str, style: str) -> None:
    """Models of few billion parameters act in code style, all others by native tool calls."""
    assert style_of(model) == style
