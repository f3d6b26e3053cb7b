"""The wall: the only place, with ``inference``, that touches Bambi and PyMC.

``geometry`` and ``terms`` say how effects are sampled, ``likelihoods`` holds the collapsed
gaussian, ``build`` makes the ``bambi.Model`` and ``extract`` reads its draws.
"""
