"""The plan of a study.

How likely each goal is, by the number of participants and of trials.
"""

import bambi_anova as ba

plan = ba.plan(
    "rt ~ group * task + Error(s/task)",
    {"group": ["control", "patient"], "task": ["easy", "hard"]},
    {
        "control:easy": 0.60,
        "control:hard": 0.70,
        "patient:easy": 0.65,
        "patient:hard": 0.87,
    },
    {"s": 0.15, "s:task": 0.05, "sigma": 0.20},
    units=[16, 32, 64],
    rows=[5, 20],
    width=0.14,
    simulations=20,
    random_seed=1,
    progressbar=False,
)
ba.plots.plot_plan(plan)
