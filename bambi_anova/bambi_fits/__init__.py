"""Means, contrasts, slopes and the ANOVA table of any ``bambi.Model``, from any sampler's draws."""
