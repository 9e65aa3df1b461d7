"""ConFIG: the direction that makes equal angles with all gradients, as long as their projections on it."""

import torch
from torch import Tensor
from torchjd.aggregation import Weighting

from fairmt.methods.jacobian import JacobianMethod, Rescaled

TOLERANCE = 1e-6
"""Eigenvalues of the gradients' cosines below it, relative to the largest, are rounding errors."""


class ConFIG(JacobianMethod):
    """The trunk follows pinv(U) 1, with U the gradients divided by their lengths.

    Liu, Chu and Thuerey, *ConFIG: Towards Conflict-free Training of Physics Informed Neural Networks*, 2024,
    Equation 2.
    """

    def __init__(self, tasks, groups) -> None:
        # The source's length is the sum of the gradients' projections.
        super().__init__(tasks, groups, Rescaled(ConFIGWeighting(), len))


class ConFIGWeighting(Weighting):
    """ConFIG's weights from a Gram matrix [m, m] without zeros on its diagonal.

    With the cosines C = U U^T and c = pinv(C) 1, the direction is x = pinv(U) 1 = U^T c, its squared length
    1^T c and its cosines with the gradients C c / ||x||, equal unless gradients are linearly dependent. The
    step is x / ||x|| times the sum of the gradients' projections on it: gradient i, of length n_i, has weight

        (sum_j n_j (C c)_j / ||x||^2) c_i / n_i.

    Where the unit gradients cancel, x is 0, and so are the weights.
    """

    def forward(self, gramian: Tensor, /) -> Tensor:
        norms = gramian.diagonal().double().cpu().sqrt()
        cosines = gramian.double().cpu() / (norms[:, None] * norms)
        c = torch.linalg.pinv(cosines, rtol=TOLERANCE, hermitian=True).sum(1)
        square = c.sum()
        if square < TOLERANCE:
            return torch.zeros_like(gramian[0])
        return (norms @ (cosines @ c) / square * c / norms).to(gramian)


METHOD = ConFIG
