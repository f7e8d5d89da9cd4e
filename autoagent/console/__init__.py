"""What a run tells people on a terminal or in a log, and how it asks there."""
