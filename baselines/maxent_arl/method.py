"""MaxEnt-ARL: the representation leaves a predictor of the group with its greatest entropy."""

from torch import Tensor

from fairmt.group_predictor import AgainstGroupPredictor, divergence_from_uniform


class MaxEntARL(AgainstGroupPredictor):
    """The trunk descends on mean_t L_t + lam KL(q(. | z) || uniform), the predictor q on its cross-entropy.

    Roy and Boddeti, *Mitigating Information Leakage in Image Representations: A Maximum Entropy Approach*,
    2019. The divergence is log G minus the entropy of q over the G groups.

    Parameters
    ----------
    lam : float
        Weight of the divergence.
    """

    def __init__(self, tasks, groups, lam: float) -> None:
        super().__init__(tasks, groups)
        self.lam = lam

    def penalty(self, logits: Tensor, group: Tensor) -> Tensor:
        return self.lam * divergence_from_uniform(logits, group)


METHOD = MaxEntARL
