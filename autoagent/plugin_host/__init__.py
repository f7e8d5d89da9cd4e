"""How plugins come into a run: found by entry points, loaded, opened, asked for models and embedders."""
