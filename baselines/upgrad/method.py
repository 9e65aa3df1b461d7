"""UPGrad: the mean of the gradients, each projected onto the dual cone of all of them."""

from torchjd.aggregation import UPGradWeighting
from torchjd.linalg import QuadprogProjector

from fairmt.methods.jacobian import JacobianMethod


class UPGrad(JacobianMethod):
    """The trunk follows UPGrad's aggregate of the gradients, so to first order no objective rises.

    Quinton and Rey, *Jacobian Descent for Multi-Objective Optimization*, 2024.
    """

    def __init__(self, tasks, groups, lam: float = 0.0) -> None:
        # Added to the Gram matrix, of trace 1, against rounding (1e-7). torchjd's default of 1e-4 would let
        # objectives rise whose gradients are a hundred times smaller than others, as gaps' may be.
        projector = QuadprogProjector(reg_eps=1e-6)
        super().__init__(tasks, groups, UPGradWeighting(projector=projector), lam)


METHOD = UPGrad
