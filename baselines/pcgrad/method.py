"""PCGrad: every gradient loses its component against each other one that it conflicts with."""

from torchjd.aggregation import PCGradWeighting

from fairmt.methods.jacobian import JacobianMethod, Rescaled


class PCGrad(JacobianMethod):
    """The trunk follows the mean of the gradients after gradient surgery.

    Yu et al., *Gradient Surgery for Multi-Task Learning*, 2020, Algorithm 1.
    """

    def __init__(self, tasks, groups, lam: float = 0.0) -> None:
        # The source sums the projected gradients.
        super().__init__(tasks, groups, Rescaled(PCGradWeighting(), len), lam)


METHOD = PCGrad
