"""``python -m bambi_anova``: the command line."""

from bambi_anova.cli import main

raise SystemExit(main())
