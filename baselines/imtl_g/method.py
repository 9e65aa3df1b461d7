"""IMTL-G: the direction with the same projection on every task's unit gradient."""

import torch
from torch import Tensor
from torchjd.aggregation import Weighting

from fairmt.methods.jacobian import JacobianMethod

TOLERANCE = 1e-6
"""Of eigenvalues of the gradients' cosines, whose rounding errors are 1e-7."""


class IMTLG(JacobianMethod):
    """The trunk follows d = J^T alpha with <d, g_i> / ||g_i|| the same positive number for every task.

    As nearly as can be, if the gradients are linearly dependent.

    Gradient part of Liu et al., *Towards Impartial Multi-task Learning*, 2021.
    """

    def __init__(self, tasks, groups) -> None:
        super().__init__(tasks, groups, ImpartialWeighting())


class ImpartialWeighting(Weighting):
    """Solves G alpha = t ||g|| for t > 0 and sum |alpha| = 1; G a Gram matrix without zeros on its diagonal.

    Where no weight is negative these are the source's and torchjd's weights, whose sum is 1. In general
    their sum has either sign. Dividing by it would turn the direction around where it is negative, so that
    every loss rises, and make it arbitrarily long where it is about 0.
    """

    def forward(self, gramian: Tensor, /) -> Tensor:
        # In units of each gradient's length: alpha_i = x_i / ||g_i||, with G's cosines in place of G.
        norms = gramian.diagonal().double().sqrt()
        cosines = gramian.double() / (norms[:, None] * norms)
        x = torch.linalg.pinv(cosines, rtol=TOLERANCE, hermitian=True).sum(1)
        # sum x is the squared length of sum_i x_i u_i: at least 1 if gradients are independent, about 0 where
        # they cancel.
        alpha = torch.where(x.sum() > TOLERANCE, x / norms, 0.0)
        return (alpha / alpha.abs().sum().clamp(min=torch.finfo(alpha.dtype).tiny)).to(gramian)


METHOD = IMTLG
