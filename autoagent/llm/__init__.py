"""Models: OpenAI-compatible servers, recordings, fallbacks and prices."""
