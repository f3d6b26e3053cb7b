"""Planning: how often a design would reach its goal, by simulated data and quick fits."""
