"""Long-term memory in Qdrant, embedded or on a server."""
