"""Where untrusted code runs: Docker, or monty without it."""
