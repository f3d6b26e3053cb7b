"""The same posterior as the Bambi model's, as arrays: what the quick fits evaluate.

Given a handful of hyperparameters these models are latent Gaussian.  ``likelihoods`` and
``scales`` hold the two densities, ``model`` puts them together for a design, ``arrow`` solves the
equations that follow, and ``mode`` finds the latent mode at many hyperparameters at once.  Pure
NumPy and SciPy: nothing is compiled.
"""
