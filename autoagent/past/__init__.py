"""Readers of what runs have left, and what is made of it: forks and the like. Carries no run."""
