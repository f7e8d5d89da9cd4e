"""Searching the web and reading its pages. The plugin is `autoagent_web.tools.plugin`.

Nothing is imported here: the process that reads pages is started for each of them, and needs little of this.
"""
