"""Measurements of the package: each folder holds what belongs to one question."""
