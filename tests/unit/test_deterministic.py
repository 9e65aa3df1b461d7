"""Deterministic mode: asked for by a variable, and in force for a block only."""

from __future__ import annotations

import pytest
import torch

from fairmt.deterministic import VARIABLE, WORKSPACE, deterministic_if_asked
from fairmt.errors import FairMTError


def in_force() -> bool:
    return torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("environment", [{}, {VARIABLE: "0"}])
def test_off_unless_asked_for(environment):
    with deterministic_if_asked(environment) as asked:
        assert not asked
        assert not in_force()
        assert WORKSPACE not in environment


@pytest.mark.parametrize("given", [{}, {WORKSPACE: ":16:8"}])
def test_in_force_for_the_block_only(given):
    environment = {VARIABLE: "1", **given}
    with deterministic_if_asked(environment) as asked:
        assert asked
        assert in_force()
        assert not torch.backends.cudnn.benchmark
        assert environment[WORKSPACE] == given.get(WORKSPACE, ":4096:8")
    assert not in_force()
    assert environment == {VARIABLE: "1", **given}


def test_over_when_training_fails():
    with pytest.raises(ZeroDivisionError), deterministic_if_asked({VARIABLE: "1"}):
        raise ZeroDivisionError
    assert not in_force()


def test_another_value_is_refused():
    message = f"{VARIABLE}: expected 0 or 1, found 'yes'"
    with pytest.raises(FairMTError, match=message), deterministic_if_asked({VARIABLE: "yes"}):
        pass
