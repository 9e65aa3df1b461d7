"""Adversarial debiasing: no adversary shall tell the group from the shared representation."""

from torch import Tensor

from fairmt.group_predictor import AgainstGroupPredictor, cross_entropy


class AdvDebias(AgainstGroupPredictor):
    """The trunk descends on mean_t L_t - lam A, the adversary on A, its cross-entropy of s given z.

    What gradient reversal does in one backward pass; Raff and Sylvester, *Gradient Reversal Against
    Discrimination*, 2018.

    Parameters
    ----------
    lam : float
        Weight of the reversed gradient. The adversary's own training does not depend on it.
    """

    def __init__(self, tasks, groups, lam: float) -> None:
        super().__init__(tasks, groups)
        self.lam = lam

    def penalty(self, logits: Tensor, group: Tensor) -> Tensor:
        return -self.lam * cross_entropy(logits, group)


METHOD = AdvDebias
