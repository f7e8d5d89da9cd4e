"""One contract suite a port; every implementation runs it."""
