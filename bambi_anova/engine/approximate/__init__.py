"""Quick fits: proposals for the hyperparameters, joint draws weighted by the exact density."""
