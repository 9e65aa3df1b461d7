"""LNL: a predictor of the group with its gradient reversed, and kept undecided."""

from torch import Tensor

from fairmt.group_predictor import AgainstGroupPredictor, cross_entropy, divergence_from_uniform

RATIO = 0.1
"""lambda / mu, the source's code's: 0.01 and 0.1."""


class LNL(AgainstGroupPredictor):
    """The trunk descends on mean_t L_t + lambda E[sum_s q log q] - mu CE, the predictor q on CE.

    Kim, Kim, Kim, Kim and Kim, *Learning Not to Learn: Training Deep Neural Networks with Biased Data*, 2019.
    CE is the predictor's cross-entropy, E[-log q(s | z)]; E[sum_s q log q] is minus its entropy.

    Parameters
    ----------
    mu : float
        Weight of the reversed gradient; lambda, that of the entropy, is `RATIO` times it.
    """

    def __init__(self, tasks, groups, mu: float) -> None:
        super().__init__(tasks, groups)
        self.mu = mu

    def penalty(self, logits: Tensor, group: Tensor) -> Tensor:
        # sum_s q log q is the divergence from uniform minus log G, a constant.
        undecided = RATIO * divergence_from_uniform(logits, group)
        return self.mu * (undecided - cross_entropy(logits, group))


METHOD = LNL
