"""The example of docs/library.md runs, and does what the page says."""

import re
from pathlib import Path

import torch

PAGE = Path(__file__).parents[2] / "docs/library.md"


def test_the_example_closes_the_gap():
    names: dict = {}
    torch.manual_seed(0)
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL):
        exec(block, names)
    group, log = names["group"], names["log"]
    rate = [float(names["probabilities"][group == g, 1].mean().detach()) for g in (0, 1)]
    labels = [float(names["y"]["hired"][group == g].mean()) for g in (0, 1)]
    assert abs(rate[1] - rate[0]) < 0.5 * abs(labels[1] - labels[0])
    assert log["C"] < 0.6
    assert 25 < float(names["salary"].mean().detach()) < 40
