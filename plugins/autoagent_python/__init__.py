"""Python and shell in the sandbox."""
