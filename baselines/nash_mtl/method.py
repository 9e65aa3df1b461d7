"""Nash-MTL: the tasks' bargaining solution for the step."""

import torch
from torch import Tensor
from torchjd.aggregation import Weighting

from fairmt.methods.jacobian import JacobianMethod, Rescaled

RIDGE = 1e-6
"""Added to the diagonal of the gradients' cosines, whose rounding errors are 1e-7."""
MAX_STEPS = 100


class NashMTL(JacobianMethod):
    """The trunk follows the direction J^T alpha with J J^T alpha = 1 / alpha, elementwise.

    It maximises sum_i log <g_i, d> among directions of one length. Navon et al., *Multi-Task Learning as a
    Bargaining Game*, 2022.
    """

    def __init__(self, tasks, groups, lam: float = 0.0) -> None:
        super().__init__(tasks, groups, Rescaled(BargainingWeighting(), torch.sum), lam)


class BargainingWeighting(Weighting):
    """Solves G alpha = 1 / alpha for a Gram matrix G [m, m] without zeros on its diagonal.

    The solution is where the convex function alpha^T G alpha / 2 - sum_i log alpha_i has its minimum, found
    by Newton's method. That has no state, unlike torchjd's `NashMTL`, which keeps the last solution outside
    of its `state_dict` and expects the same tasks at every step.
    """

    def forward(self, gramian: Tensor, /) -> Tensor:
        # In units of each gradient's length: alpha_i = x_i / ||g_i||, with G's cosines in place of G.
        norms = gramian.diagonal().double().cpu().sqrt()
        cosines = gramian.double().cpu() / (norms[:, None] * norms)
        cosines.diagonal().add_(RIDGE)
        x = torch.ones_like(norms)
        for _ in range(MAX_STEPS):
            gradient = cosines @ x - 1 / x
            step = torch.linalg.solve(cosines + (1 / x.square()).diag(), gradient)
            decrement = (gradient @ step).clamp(min=0).sqrt()
            # The function is self-concordant: a step of this length stays inside its domain and converges.
            x = x - step / (1 + decrement)
            if decrement < 1e-8:
                break
        return (x / norms).to(gramian)


METHOD = NashMTL
