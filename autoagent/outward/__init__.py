"""All that leaves the host through plugins: one guarded client. `client.GuardedOutward` makes it."""
