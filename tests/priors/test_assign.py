"""Priors as they print."""

import bambi_anova as ba


def test_priors_print_for_people():
    priors = ba.Model("yield ~ variety + Error(block/variety)", ba.load_data("oats")).priors
    lines, rows = repr(priors).splitlines(), dict(priors.rows())
    assert [line.split("  ")[0] for line in lines] == list(rows)
    starts = {line.index(prior) for line, prior in zip(lines, rows.values(), strict=True)}
    assert starts == {max(map(len, rows)) + 2}
    html = priors._repr_html_()
    assert html.count("<tr>") == len(lines)
    assert all(prior in html for prior in rows.values())
