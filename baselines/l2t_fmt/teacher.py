"""The teacher of one task: a deep Q-network and the memory that it learns from."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

GAMMA = 0.9
"""Discount of later rewards."""
WIDTHS = (512, 512, 256)
"""Hidden layers."""
CAPACITY = 256
"""States in the memory."""
SAMPLES = 32
"""Transitions that a step learns from."""
REFRESH = 10
"""Remembered steps between two refreshes of the target network."""


class Teacher(nn.Module):
    """Q(state, action) for two actions, trained on remembered transitions.

    Deep Q-learning of Mnih et al., *Human-level Control through Deep Reinforcement Learning*, 2015. The
    memory is a ring of (state, action, reward) in buffers; the state after a transition is the next in
    the ring.

    Parameters
    ----------
    state : int
        Size S of a state.

    Attributes
    ----------
    q, target : Module
        The network, and the copy from some steps ago that values next states.
    states : Tensor, [CAPACITY, S]
    actions : Tensor, [CAPACITY], int64
    rewards : Tensor, [CAPACITY]
    count : Tensor, int64
        Transitions remembered so far, forgotten ones included.
    """

    def __init__(self, state: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = state
        for width in WIDTHS:
            layers += [nn.Linear(inputs, width), nn.ReLU()]
            inputs = width
        self.q = nn.Sequential(*layers, nn.Linear(inputs, 2))
        self.target = copy.deepcopy(self.q).requires_grad_(False)
        self.register_buffer("states", torch.zeros(CAPACITY, state))
        self.register_buffer("actions", torch.zeros(CAPACITY, dtype=torch.int64))
        self.register_buffer("rewards", torch.zeros(CAPACITY))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def act(self, state: Tensor, epsilon: float) -> int:
        """The action of larger value; with probability ``epsilon`` either, at random."""
        if torch.rand(()) < epsilon:
            return int(torch.randint(2, ()))
        return int(self.q(state).argmax())

    @torch.no_grad()
    def remember(self, state: Tensor, action: int, reward: float) -> None:
        """Add what was done in a state, and what came of it; the oldest entry makes room."""
        slot = int(self.count) % CAPACITY
        self.states[slot] = state
        self.actions[slot] = action
        self.rewards[slot] = reward
        self.count += 1
        if int(self.count) % REFRESH == 0:
            self.target.load_state_dict(self.q.state_dict())

    def sample(self) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
        """Random transitions: states, actions, rewards and next states; None while there is none.

        The newest entry has no next state yet.
        """
        count = int(self.count)
        known = min(count, CAPACITY) - 1
        if known < 1:
            return None
        slot = ((count - 2 - torch.randint(known, (SAMPLES,))) % CAPACITY).to(self.states.device)
        return self.states[slot], self.actions[slot], self.rewards[slot], self.states[(slot + 1) % CAPACITY]

    def loss(self) -> Tensor | None:
        """Mean Huber distance of Q(s, a) from r + GAMMA max_b Q_target(s', b); None without a transition."""
        sampled = self.sample()
        if sampled is None:
            return None
        state, action, reward, following = sampled
        with torch.no_grad():
            target = reward + GAMMA * self.target(following).amax(1)
        return smooth_l1_loss(self.q(state).gather(1, action[:, None])[:, 0], target)
