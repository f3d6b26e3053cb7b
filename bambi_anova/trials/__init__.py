"""Checks of binomial and count data before they are modelled."""
