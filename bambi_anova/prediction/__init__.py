"""Draws -> predicted data, leave-one-out accuracy and sensitivity to priors."""
