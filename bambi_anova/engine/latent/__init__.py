"""Latent Gaussian models as arrays: the Bambi model's posterior, its modes and its draws."""
