"""Evidence: marginal likelihoods, Bayes factors and the averages of models that they weigh."""
