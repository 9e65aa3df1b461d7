"""MGDA: the shortest vector in the convex hull of the gradients."""

from torchjd.aggregation import MGDAWeighting

from fairmt.methods.jacobian import JacobianMethod


class MGDA(JacobianMethod):
    """The trunk follows min ||J^T alpha|| over the simplex, by Frank-Wolfe.

    Désidéri, *Multiple-gradient descent algorithm (MGDA) for multiobjective optimization*, 2012;
    solver: Algorithm 2 of Sener and Koltun, *Multi-Task Learning as Multi-Objective Optimization*, 2018.
    """

    def __init__(self, tasks, groups, lam: float = 0.0) -> None:
        super().__init__(tasks, groups, MGDAWeighting(), lam)


METHOD = MGDA
