"""The journal on disk: entries, commands, leases and objects in SQLite."""
