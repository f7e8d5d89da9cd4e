"""The plugin door: `@tool`, `Tool`, `ToolContext`, `Plugin`.

A tool is a typed async function. Its schema comes from its type hints and its docstring; its effect says what
it may do, so that the run knows how to carry it out and what to do after a crash.
"""
