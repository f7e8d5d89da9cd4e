"""The plugin door: what a plugin's author imports. `tools` has nearly all of it; nothing here knows a run.

A plugin is found, loaded and opened elsewhere, in `autoagent.plugin_host`.
"""
