"""The user's folder: the only code that opens it."""
