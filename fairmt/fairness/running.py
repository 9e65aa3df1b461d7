"""Running means of every (cell, group), and their sampling noise.

They are some hundred numbers that every step reads and writes with as many tiny operations, so they
live on the host, in double precision: one transfer a step costs less than the launches.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from fairmt.fairness.disparity import Sums


class RunningMeans(nn.Module):
    """Exponentially weighted mean benefit of every (cell, group), and its sampling noise.

    Numerators and counts are weighted separately, which corrects the bias of the first steps and
    weighs samples, not batches. A (cell, group) without samples in a step keeps its state, so that a
    rare one still rests on about 1/(1 - decay) samples.

    Parameters
    ----------
    cells, groups : int
    decay : float in [0, 1]
        Weight of the past at every optimizer step; 0 is the statistics of one step alone, 1 those of all.
    """

    def __init__(self, cells: int, groups: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        # Sums of benefits, weights, squared benefits and squared weights.
        self.state = np.zeros((4, cells, groups))
        self.decayed = np.zeros((cells, groups), dtype=bool)

    def update(self, sums: Sums) -> None:
        """Take in the sums of a batch, or of one micro-batch of a step.

        The first samples of a step age what was there; `end_step` starts the next step.
        """
        fresh = (sums.count > 0) & ~self.decayed
        aging = np.where(fresh, self.decay, 1.0)
        self.state[:3] *= aging
        self.state[3] *= aging**2
        for total, part in zip(
            self.state, (sums.numerator, sums.count, sums.square, sums.count), strict=True
        ):
            total += part
        self.decayed |= fresh

    def end_step(self) -> None:
        """Declare the optimizer step complete."""
        self.decayed[:] = False

    def known(self) -> np.ndarray:
        """Which (cell, group) has had a sample, bool [C, G]."""
        return self.state[1] > 0

    def means(self) -> np.ndarray:
        """Running mean benefit, [C, G]; 0 where unknown."""
        return self.state[0] / np.where(self.known(), self.state[1], 1.0)

    def variances(self) -> np.ndarray:
        """Sampling variance of the running means, [C, G].

        The samples' variance over the effective number of samples (sum w)^2 / sum w^2.
        """
        count = np.where(self.known(), self.state[1], 1.0)
        spread = np.maximum(self.state[2] / count - self.means() ** 2, 0.0)
        return spread * self.state[3] / count**2

    def get_extra_state(self) -> Tensor:
        """The state as a tensor [5, C, G], for `state_dict`."""
        return torch.from_numpy(np.concatenate([self.state, self.decayed[None]]))

    def set_extra_state(self, state: Tensor) -> None:
        """Restore `get_extra_state`."""
        array = state.cpu().numpy()
        self.state, self.decayed = array[:4].copy(), array[4] > 0
