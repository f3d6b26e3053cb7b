"""A latent Gaussian model as arrays: the same posterior as the Bambi model's."""
