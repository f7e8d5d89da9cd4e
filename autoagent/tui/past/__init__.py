"""A run as it was at any of its entries: read only."""
