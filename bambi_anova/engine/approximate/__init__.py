"""Quick fits: proposals for the hyperparameters, then joint draws weighted by the exact density."""
