"""Distances in composition against the plain sum over quantum numbers."""

import numpy as np
import torch

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.composition import composition_distance


def test_it_is_the_squared_distance_of_the_roots(batch: MoleculeBatch) -> None:
    left, right = batch.gather(torch.tensor([3, 40, 3])), batch.gather(torch.arange(20))
    roots, others = (np.sqrt(m.descriptors.numpy().astype(float)) for m in (left, right))
    expected = np.square(roots[:, None] - others).sum(2)
    np.testing.assert_allclose(composition_distance(left, right), expected, atol=1e-4)


def test_a_molecule_is_at_distance_0_from_itself(batch: MoleculeBatch) -> None:
    distances = composition_distance(batch, batch)
    assert distances.diagonal().max() < 1e-4
    assert (distances >= 0).all()
