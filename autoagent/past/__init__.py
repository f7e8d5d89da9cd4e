"""Readers of what runs have left, and what is made of it: differences, reasons, forks and the like.

Carries no run. What reads is pure over entries and stored objects, which are passed in.
"""
