"""Aligned-MTL: the mean of the gradients after their principal components are made equally strong."""

from torchjd.aggregation import AlignedMTLWeighting

from fairmt.methods.jacobian import JacobianMethod


class AlignedMTL(JacobianMethod):
    """The trunk follows J^T B w, with w uniform and B = sigma_min V diag(1 / sigma) V^T.

    V and sigma are the eigenvectors and the roots of the nonzero eigenvalues of J J^T. Senushkin et al.,
    *Independent Component Alignment for Multi-Task Learning*, 2023, Algorithm 1.
    """

    def __init__(self, tasks, groups, lam: float = 0.0) -> None:
        super().__init__(tasks, groups, AlignedMTLWeighting(), lam)


METHOD = AlignedMTL
