"""FairGrad: alpha-fair shares of the step between tasks (not between groups)."""

import torch
from torchjd.aggregation import FairGradWeighting

from fairmt.methods.jacobian import JacobianMethod, Rescaled


class FairGrad(JacobianMethod):
    """The trunk follows the direction J^T w with J J^T w = w^(-1 / alpha), elementwise.

    It maximises the tasks' alpha-fair utility, sum_i <g_i, d>^(1 - alpha) / (1 - alpha), among directions
    of one length. Ban and Ji, *Fair Resource Allocation in Multi-Task Learning*, 2024.

    Parameters
    ----------
    alpha : float > 0
        Near 0 the mean gradient, 1 proportional fairness (Nash-MTL), towards infinity the gain of the
        worst-off task.
    """

    def __init__(self, tasks, groups, alpha: float, lam: float = 0.0) -> None:
        # Of d the source keeps the length, too, which is not that of a gradient.
        super().__init__(tasks, groups, Rescaled(FairGradWeighting(alpha), torch.sum), lam)


METHOD = FairGrad
