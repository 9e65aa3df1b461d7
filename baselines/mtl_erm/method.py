"""Multi-task empirical risk minimisation."""

from fairmt.methods.base import Method


class MultiTaskERM(Method):
    """Hard parameter sharing, mean of the task losses: everything is the base class's default."""


METHOD = MultiTaskERM
