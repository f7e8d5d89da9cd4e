"""Long-term memory as tools: recall and remember."""
