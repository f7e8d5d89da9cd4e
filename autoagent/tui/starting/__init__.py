"""A new run: its folder, its goal, the templates."""
