"""Priors: Kruschke's, the user's, and the distributions that they are."""
