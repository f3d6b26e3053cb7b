"""Draws of a fit: arrays, populations, summaries, and how far they can be trusted."""
