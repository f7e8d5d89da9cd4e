"""Screens beside the runs: memory, plugins, what is always allowed, help, commands, lines to be read."""
