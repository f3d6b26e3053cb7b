"""NUTS: on whitened coordinates of a latent Gaussian model, or through Bambi."""
