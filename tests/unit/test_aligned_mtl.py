"""Aligned-MTL: gradients with equally strong principal components."""

import numpy as np
import pytest
import torch
from jacobians import CONFLICT, JACOBIANS, RANK_DEFICIENT, weights_of


@pytest.mark.parametrize(
    "jacobian", [*JACOBIANS.values(), RANK_DEFICIENT], ids=[*JACOBIANS, "rank deficient"]
)
def test_mean_of_the_aligned_gradients(jacobian):
    """With J = U S V^T the aligned gradients are the rows of sigma_min U V^T."""
    u, s, vt = np.linalg.svd(jacobian.numpy(), full_matrices=False)
    rank = (s > 1e-9 * s[0]).sum()
    aligned = s[rank - 1] * u[:, :rank] @ vt[:rank]
    found = (weights_of("aligned_mtl", jacobian) @ jacobian).numpy()
    np.testing.assert_allclose(found, aligned.mean(0), rtol=1e-6, atol=1e-8)


def test_no_task_gets_worse():
    """Aligned full-rank gradients are orthogonal, so their mean improves every task alike."""
    gains = CONFLICT @ (weights_of("aligned_mtl", CONFLICT) @ CONFLICT)
    assert (CONFLICT @ CONFLICT.mean(0) < 0).any(), "the mean gradient would harm a task"
    assert (gains > 0).all()
    orthogonal = torch.diag(torch.tensor([3.0, 1.0, 0.5]))
    found = weights_of("aligned_mtl", orthogonal) @ orthogonal
    torch.testing.assert_close(found, torch.full((3,), 0.5 / 3))
