"""From a specification to a posterior: quick fits and NUTS."""
