"""Permutation tests: brute force, textbook data, levels under the null, which units they move."""

from itertools import combinations, permutations, product

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.classical import COLUMNS, permutation_test
from bambi_anova.classical.shuffles import interval, level_orders, relabellings, sign_flips
from bambi_anova.errors import ArgumentError, NotApplicableError

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

#: Darwin's maize: crossed less self-fertilised of each pair, in eighths of an inch.
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
#: Survival of mice in days, treated and not (Efron and Tibshirani 1993, table 2.1).
TREATED, CONTROL = [94, 197, 16, 38, 99, 141, 23], [52, 104, 146, 10, 51, 30, 40, 27, 46]
FORMULA = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"


def pairs(differences):
    rows = [
        (pair, kind, 100.0 + d * (kind == "crossed"))
        for pair, d in enumerate(differences)
        for kind in ("crossed", "self")
    ]
    frame = pd.DataFrame(rows, columns=["pair", "kind", "height"])
    return ba.Model("height ~ kind + Error(pair)", frame)


def two_groups(first, second, **model):
    values = [*map(float, first), *map(float, second)]
    frame = pd.DataFrame({"days": values, "group": ["a"] * len(first) + ["b"] * len(second)})
    return ba.Model("days ~ group", frame, **model)


def whole(size=7, seed=1, groups="uuuvvvv"):
    """Units in groups, each in every cell of A (2) x B (3)."""
    frame = pd.DataFrame(product(range(size), ["a", "b"], ["k", "l", "m"]), columns=["s", "A", "B"])
    frame["group"] = [groups[s] for s in frame["s"]]
    return frame.assign(y=np.random.default_rng(seed).normal(size=len(frame)).round(2))


def test_darwins_maize_is_fishers():
    # Of the 32,768 sign patterns Fisher (1935) found 1,726 at least as extreme as the sum 314.
    row = permutation_test(pairs(MAIZE), permutations=2**15).iloc[0]
    assert row["p"] == 1726 / 32768
    assert row["exact"]
    assert (row["permutations"], row["mcse"], row["units"]) == (2**15, 0, 15)
    assert row["estimate"] == pytest.approx(314 / 15)


def test_mice_are_those_of_brute_force():
    row = permutation_test(two_groups(TREATED, CONTROL)).iloc[0]
    mice = np.array(TREATED + CONTROL)
    means = [
        mice[list(chosen)].mean() - np.delete(mice, chosen).mean()
        for chosen in combinations(range(16), 7)
    ]
    assert row["p"] == np.mean(np.abs(means) >= 30.6349 - 1e-3)
    assert row["exact"]
    assert row["permutations"] == len(means) == 11440
    assert row["unit"] == "row"


def test_intervals_are_the_shifts_that_are_not_rejected():
    row = permutation_test(two_groups(TREATED, CONTROL)).iloc[0]

    def one_sided(shift, side):
        mice = np.array([t - shift for t in TREATED] + CONTROL)
        total = mice.sum()
        sums = np.array([mice[list(chosen)].sum() for chosen in combinations(range(16), 7)])
        means = side * (sums / 7 - (total - sums) / 9)
        return np.mean(means >= means[0] - 1e-9)

    for bound, side, inwards in ((row["lower"], 1, 1e-4), (row["upper"], -1, -1e-4)):
        assert one_sided(bound + inwards, side) > 0.025
        assert one_sided(bound - inwards, side) <= 0.025
    flips = permutation_test(pairs(MAIZE), permutations=2**15).iloc[0]
    signs = np.array(list(product([1, -1], repeat=15)))
    for bound, side, inwards in ((flips["lower"], 1, 1e-4), (flips["upper"], -1, -1e-4)):
        for shift, rejected in ((bound + inwards, False), (bound - inwards, True)):
            means = side * (signs * (np.array(MAIZE) - shift)).mean(axis=1)
            assert (np.mean(means >= means[0] - 1e-9) <= 0.025) == rejected


def test_within_unit_tests_are_those_of_brute_force():
    frame = whole(5, groups="uuvvv")
    model = ba.Model("y ~ group * A * B + Error(s/(A*B))", frame)
    table = permutation_test(model, permutations=8000).set_index(["term", "contrast"])
    means = frame.pivot_table(index="s", columns=["A", "B"], values="y").to_numpy()
    means = means.reshape(5, 2, 3)
    weights = np.array([1 / 4, 1 / 4, 1 / 6, 1 / 6, 1 / 6])
    signs = np.array(list(product([1, -1], repeat=5)))
    scores = means[:, 0].mean(axis=1) - means[:, 1].mean(axis=1)
    null = np.abs((signs * scores) @ weights)
    assert table.loc[("A", "a - b"), "p"] == np.mean(null >= null[0] - 1e-12)
    # Levels of B in every order within each unit: 6^5 = 7,776 ways.
    by_b = means.mean(axis=1)
    orders = [np.stack([u[list(o)] for o in permutations(range(3))]) for u in by_b]
    null = np.array([np.var(weights @ np.stack(rows)) for rows in product(*orders)])
    row = table.loc[("B", "omnibus")]
    assert row["exact"]
    assert row["p"] == np.mean(null >= null[0] - 1e-12)
    # Interaction of A and B: signs of whole vectors.
    inner = means[:, 0] - means[:, 1]
    inner = inner - inner.mean(axis=1, keepdims=True)
    null = np.array([np.sum((weights * s @ inner) ** 2) for s in signs])
    assert table.loc[("A:B", "omnibus"), "p"] == np.mean(null >= null[0] - 1e-12)
    # Between: whole units; the interaction with A exchanges the units' differences.
    for term, values in (("group", means.mean(axis=(1, 2))), ("group:A", scores)):
        null = np.array(
            [
                values[list(c)].mean() - np.delete(values, c).mean()
                for c in combinations(range(5), 2)
            ]
        )
        found = table.loc[term]
        assert found["p"].iloc[0] == np.mean(np.abs(null) >= abs(null[0]) - 1e-12)
        assert found["estimate"].iloc[0] == pytest.approx(null[0])


def between_frame(seed=3):
    """12 units in group (3) x site (2), unequally many."""
    frame = pd.DataFrame(
        {"group": list("uuuvvwwuuvww"), "site": list("mmmmmmmnnnnn"), "s": range(12)}
    )
    return frame.assign(y=np.random.default_rng(seed).normal(size=12))


def test_units_move_within_the_cells_of_other_between_factors():
    frame = between_frame()
    model = ba.Model("y ~ group + site + Error(s)", frame)
    table = permutation_test(model, permutations=20_000).set_index("contrast")
    y = frame["y"].to_numpy()
    m, n = [0, 1, 2, 3, 4], [7, 8, 9]  # units of u and v at each site
    null = []
    for first, second in product(combinations(m, 3), combinations(n, 2)):
        rest = (set(m) - set(first), set(n) - set(second))
        parts = [
            y[list(a)].mean() - y[list(b)].mean()
            for a, b in zip((first, second), rest, strict=True)
        ]
        null.append(np.mean(parts))
    row = table.loc["u - v"]
    assert row["permutations"] == len(null) == 30
    assert row["estimate"] == pytest.approx(null[0])
    assert row["p"] == np.mean(np.abs(null) >= abs(null[0]) - 1e-12)
    assert "within each cell of site" in row["rests_on"]
    assert row["units"] == 8


def test_the_omnibus_test_of_groups_is_that_of_brute_force():
    frame = between_frame().iloc[:7]
    table = permutation_test(ba.Model("y ~ group + Error(s)", frame)).set_index("contrast")
    y = frame["y"].to_numpy()
    deals = set(permutations("uuuvvww"))
    null = np.array([np.var([y[np.array(deal) == g].mean() for g in "uvw"]) for deal in deals])
    observed = np.var([y[(frame["group"] == g).to_numpy()].mean() for g in "uvw"])
    row = table.loc["omnibus"]
    assert row["permutations"] == len(deals) == 210
    assert row["p"] == pytest.approx(np.mean(null >= observed - 1e-12))
    assert np.isnan(row["estimate"])


def test_interactions_between_units_permute_residuals():
    frame = between_frame().query("group != 'w'")
    model = ba.Model("y ~ group * site + Error(s)", frame)
    row = permutation_test(model, "group:site", permutations=41_000).iloc[0]
    design = np.column_stack([np.ones(8), frame["group"] == "u", frame["site"] == "m"])
    y = frame["y"].to_numpy()
    residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    cells = [
        np.flatnonzero((frame["group"] == g) & (frame["site"] == s)) for g, s in product("uv", "mn")
    ]
    orders = np.array(list(permutations(range(8))))
    moved = residuals[orders]
    signs = (1, -1, -1, 1)
    null = sum(z * moved[:, cell].mean(axis=1) for z, cell in zip(signs, cells, strict=True))
    assert row["exact"]
    assert row["p"] == np.mean(np.abs(null) >= abs(null[0]) - 1e-12)
    assert row["estimate"] == pytest.approx(
        sum(z * y[cell].mean() for z, cell in zip(signs, cells, strict=True))
    )
    assert "approximate" in row["rests_on"]


def test_random_rearrangements_come_near_the_exact_answer():
    exact = permutation_test(pairs(MAIZE), permutations=2**15).iloc[0]
    drawn = permutation_test(pairs(MAIZE), permutations=8000, random_seed=4).iloc[0]
    assert not drawn["exact"]
    assert abs(drawn["p"] - exact["p"]) < 4 * drawn["mcse"]
    assert drawn["mcse"] == pytest.approx(np.sqrt(drawn["p"] * (1 - drawn["p"]) / 8001))
    for bound in ("lower", "upper"):
        assert drawn[bound] == pytest.approx(exact[bound], abs=1.5)
    again = permutation_test(pairs(MAIZE), permutations=8000, random_seed=4).iloc[0]
    assert again["p"] == drawn["p"]


def test_of_random_rearrangements_the_observed_one_is_counted_in():
    row = permutation_test(pairs(range(40, 80)), permutations=99, random_seed=1).iloc[0]
    assert row["p"] == 1 / 100


def test_the_test_keeps_its_level_and_finds_effects():
    rng = np.random.default_rng(8)
    found = {0.0: [], 1.5: []}
    for shift, p in found.items():
        for _ in range(60):
            values = np.round(rng.standard_t(3, size=8) + shift, 6)
            p.append(permutation_test(pairs(values)).iloc[0]["p"])
    null = np.sort(found[0.0])
    # Kolmogorov-Smirnov distance of 60 uniform values: above 0.21 in one sample of a hundred.
    assert np.max(np.abs(null - np.arange(1, 61) / 60)) < 0.21
    assert np.mean(np.array(found[1.5]) < 0.05) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("term", ["group", "A", "group:A", "group:site", "B"])
def test_p_values_are_uniform_without_effects(term):
    rng = np.random.default_rng(9)
    ps = []
    for number in range(400):
        frame = pd.DataFrame(product(range(16), "ab", "klm"), columns=["s", "A", "B"])
        frame["group"] = np.where(frame["s"] % 2, "u", "v")
        frame["site"] = np.where(frame["s"] < 7, "m", "n")
        units = rng.exponential(size=16)[frame["s"]]
        frame["y"] = units + rng.normal(size=len(frame))
        model = ba.Model("y ~ group * A + group * site + B + Error(s/(A + B))", frame)
        table = permutation_test(model, term, permutations=199, random_seed=number)
        ps.append(table.iloc[0]["p"])
    ps = np.sort(ps)
    # The distance of 400 uniform values is above 0.0815 in one sample of a hundred.
    assert np.max(np.abs(ps - np.arange(1, 401) / 400)) < 0.0815


@pytest.fixture(scope="module")
def memory():
    return ba.Model(FORMULA, ba.load_data("memory"), family="binomial")


def test_the_experiment(memory):
    table = permutation_test(memory, random_seed=1).set_index("term")
    assert list(table.columns) == [c for c in COLUMNS if c != "term"] + list(table.columns[9:])
    assert table.loc["trial_type", "p"] < 0.001
    assert table.loc["condition", "p"] > 0.2
    trials = ba.load_data("memory")
    keys = ["participant", "condition", "trial_type"]
    shares = trials.groupby(keys, as_index=False)[["errors", "markers"]].sum()
    shares["share"] = shares["errors"] / shares["markers"]
    shares = shares.pivot_table(index=keys[:2], columns="trial_type", values="share")
    people = shares.mean(axis=1).groupby("condition").mean()
    assert table.loc["condition", "estimate"] == pytest.approx(people["A"] - people["B"])
    differences = (shares["x"] - shares["y"]).groupby("condition").mean()
    assert table.loc["trial_type", "estimate"] == pytest.approx(differences.mean())
    assert table.loc["condition:trial_type", "estimate"] == pytest.approx(
        differences["A"] - differences["B"]
    )


def test_empirical_logits(memory):
    row = permutation_test(memory, "trial_type", scale="link", random_seed=1).iloc[0]
    keys = ["condition", "participant", "trial_type"]
    sums = ba.load_data("memory").groupby(keys, as_index=False)[["errors", "markers"]].sum()
    odds = (sums["errors"] + 0.5) / (sums["markers"] - sums["errors"] + 0.5)
    logits = sums.assign(logit=np.log(odds))
    logits = logits.pivot_table(index=keys[:2], columns="trial_type", values="logit")
    means = (logits["x"] - logits["y"]).groupby("condition").mean()
    assert row["estimate"] == pytest.approx(means.mean())


def test_each_term_moves_the_units_that_judge_it():
    oats = ba.load_data("oats")
    table = permutation_test(
        ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats), permutations=100
    )
    units = table.groupby("term")["unit"].unique().str.join(" ").to_dict()
    assert units == {
        "variety": "block",
        "nitrogen": "block:variety",
        "variety:nitrogen": "block",
    }
    frame = whole()
    nested = ba.Model("y ~ group * A * B + Error(s/(A*B))", frame)
    assert set(permutation_test(nested, permutations=50)["unit"]) == {"s"}


def test_crossed_units_have_to_be_named(crossed):
    model = ba.Model("y ~ group * kind + Error(subject) + Error(item)", crossed)
    with pytest.raises(NotApplicableError, match=r"units cross \(subject, item\).*unit='subject'"):
        permutation_test(model)
    by_subject = permutation_test(model, "kind", unit="subject").iloc[0]
    by_item = permutation_test(model, "kind", unit="item").iloc[0]
    assert (by_subject["units"], by_item["units"]) == (6, 8)
    assert by_subject["estimate"] == pytest.approx(by_item["estimate"])


def test_what_does_not_fit_is_refused(memory, split_plot):
    with pytest.raises(NotApplicableError, match=r"factors only.*dose"):
        permutation_test(ba.Model("y ~ group + dose + Error(subject)", split_plot))
    part = split_plot.query("not (subject == 's03' and task == 'x')")
    with pytest.raises(NotApplicableError, match="each cell of task: s03; leave"):
        permutation_test(ba.Model("y ~ group * task + Error(subject/task)", part))
    counts = ba.Model("hits ~ group * task + Error(subject/task)", split_plot, family="poisson")
    with pytest.raises(NotApplicableError, match="scale='response'"):
        permutation_test(counts, scale="link")
    assert np.isfinite(permutation_test(counts, permutations=50)["p"]).all()
    for wrong in ({"scale": "log"}, {"permutations": 0}, {"ci_prob": 1.2}, {"unit": "person"}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            permutation_test(memory, **wrong)


def test_enumerations_are_complete_and_start_with_the_observed():
    rng = np.random.default_rng(1)
    flips = np.concatenate(list(sign_flips(4, 16, rng).chunks))
    assert len(np.unique(flips, axis=0)) == 16
    assert np.all(flips[0] == 1)
    labels, strata = np.array([1, 0, 0, 2, 1, 0]), np.array([0, 0, 1, 1, 1, 0])
    deals = np.concatenate(list(relabellings(labels, strata, 100, rng).chunks))
    assert len(np.unique(deals, axis=0)) == len(deals) == 3 * 6
    assert (deals == labels).all(axis=1).any()
    for stratum in (0, 1):
        own = np.sort(deals[:, strata == stratum], axis=1)
        assert np.all(own == np.sort(labels[strata == stratum]))
    drawn = np.concatenate(list(relabellings(labels, strata, 10, rng).chunks))
    assert drawn.shape == (10, 6)
    assert {tuple(row) for row in drawn} <= {tuple(row) for row in deals}
    orders = np.concatenate(list(level_orders(2, 3, 36, rng).chunks))
    assert len(np.unique(orders.reshape(36, -1), axis=0)) == 36


def test_too_few_rearrangements_bound_nothing():
    assert interval(1.0, np.array([1.0, -1.0]), np.array([1.0, -1.0]), True, 0.95) == (
        -np.inf,
        np.inf,
    )


def test_means_of_a_transformed_response_are_its_own():
    frame = whole().assign(y=lambda rows: np.exp(rows["y"]))
    logs = ba.Model("log(y) ~ group + Error(s)", frame)
    table = permutation_test(logs)
    assert table["scale"].tolist() == ["link"]
    ready = ba.Model("z ~ group + Error(s)", frame.assign(z=np.log(frame["y"])))
    same = permutation_test(ready)
    assert same["scale"].tolist() == ["response"]
    assert table["estimate"][0] == pytest.approx(same["estimate"][0])
    assert permutation_test(logs, scale="link")["scale"].tolist() == ["link"]
    with pytest.raises(NotApplicableError, match=r"means of log\(y\): use scale='link'"):
        permutation_test(logs, scale="response")
