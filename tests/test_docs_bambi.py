"""The page for Bambi users: its examples run, its tables name what exists."""

import re
from pathlib import Path

import pandas as pd
import pytest

TEXT = (Path(__file__).parent.parent / "docs" / "bambi.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.slow
def test_the_examples_run():
    names = {}
    tables = 0
    for block in BLOCKS:
        for line in block.strip().splitlines():
            if line.startswith("ba."):
                found = eval(line, names)
                assert isinstance(found, pd.DataFrame)
                assert len(found)
                tables += 1
            else:
                exec(line, names)
    assert tables == 9
