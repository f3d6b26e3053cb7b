"""What is worked out once for a posterior lives as long as the posterior."""

import gc
from dataclasses import replace
from weakref import ref

from bambi_anova.posterior.once import once
from bambi_anova.posterior.posterior import Posterior


class Found:
    """Something that can be referred to weakly."""


def a_posterior():
    return Posterior(None, None, None, None)


def test_a_posterior_is_asked_once_and_another_again():
    asked = []

    @once
    def found(posterior):
        asked.append(posterior)
        return len(asked)

    one = a_posterior()
    assert (found(one), found(one), found(replace(one)), found(one)) == (1, 1, 2, 1)


def test_what_was_found_goes_with_its_posterior():
    @once
    def found(posterior):
        return Found()

    posterior = a_posterior()
    value = ref(found(posterior))
    assert value() is not None
    del posterior
    gc.collect()
    assert value() is None


def test_the_function_keeps_its_name_and_what_is_said_of_it():
    @once
    def found(posterior):
        """Say something."""

    assert (found.__name__, found.__doc__) == ("found", "Say something.")
