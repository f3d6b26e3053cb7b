"""Draws -> means, contrasts, slopes, statements and the ANOVA table."""
