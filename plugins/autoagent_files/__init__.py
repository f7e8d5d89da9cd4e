"""Files of the workspace: list, read, search, write, edit, move, delete."""
