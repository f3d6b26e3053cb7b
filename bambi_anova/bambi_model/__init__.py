"""The wall: a specification -> a ``bambi.Model``, the single definition of the posterior."""
