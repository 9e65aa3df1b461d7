"""CAGrad: the best worst-case improvement in a ball around the mean gradient."""

from torchjd.aggregation import CAGradWeighting

from fairmt.methods.jacobian import JacobianMethod, Rescaled


class CAGrad(JacobianMethod):
    """The trunk follows d = argmax min_i <g_i, d> subject to ||d - g_0|| <= c ||g_0||, g_0 the mean.

    Liu et al., *Conflict-Averse Gradient Descent for Multi-task Learning*, 2021.

    Parameters
    ----------
    c : float in [0, 1)
        Radius of the ball: 0 is the mean gradient.
    """

    def __init__(self, tasks, groups, c: float, lam: float = 0.0) -> None:
        # For equal gradients d = (1 + c) g_0.
        super().__init__(tasks, groups, Rescaled(CAGradWeighting(c), lambda _: 1 + c), lam)


METHOD = CAGrad
