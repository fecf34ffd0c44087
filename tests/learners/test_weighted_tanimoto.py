"""WeightedTanimoto against sums over dictionaries, and as a kernel."""

from collections import Counter

import pytest
import torch

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.counted import counted
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.learners.weighted_tanimoto import WeightedTanimoto, features_of, slots
from tests.molecules import DRUGS

SMILES = DRUGS[:12]


@pytest.fixture(scope="module")
def molecules() -> MoleculeBatch:
    results = [read_smiles(smiles) for smiles in SMILES]
    return featurize([m for m in results if isinstance(m, Molecule)])


@pytest.fixture
def kernel() -> WeightedTanimoto:
    kernel = WeightedTanimoto()
    generator = torch.Generator().manual_seed(0)
    kernel.log_weights.copy_(torch.randn(len(kernel.log_weights), generator=generator))
    return kernel


def _counts(molecules: MoleculeBatch) -> list[Counter[int]]:
    """What is counted in each molecule, read from its arrays one by one."""
    counts = []
    for i in range(len(molecules)):
        start, end = molecules.ecfp_offsets[i : i + 2].tolist()
        ids = molecules.ecfp_ids[start:end].tolist()
        of_one = Counter(dict(zip(ids, molecules.ecfp_counts[start:end].tolist(), strict=True)))
        start, end = molecules.motif_offsets[i : i + 2].tolist()
        for id, n in zip(
            molecules.motif_ids[start:end].tolist(),
            molecules.motif_counts[start:end].tolist(),
            strict=True,
        ):
            of_one[(1 << 31) + id] = n
        of_one.update({(1 << 32) + j: n for j, n in enumerate(molecules.descriptors[i].tolist())})
        counts.append(of_one)
    return counts


def _weight(kernel: WeightedTanimoto, id: int, level: int) -> float:
    feature = torch.tensor([(id << 8) | level])
    return float(kernel.log_weights[slots(feature)].exp())


def test_it_is_the_weighted_sum_of_minima_over_that_of_maxima(
    kernel: WeightedTanimoto, molecules: MoleculeBatch
) -> None:
    counts = _counts(molecules)
    found = kernel(molecules.gather(torch.arange(3)), molecules)
    for i in range(3):
        for j in range(len(molecules)):
            both = either = 0.0
            for id in counts[i] | counts[j]:
                low, high = sorted((counts[i][id], counts[j][id]))
                weights = [_weight(kernel, id, level) for level in range(high)]
                both += sum(weights[:low])
                either += sum(weights)
            assert float(found[i, j]) == pytest.approx(both / either, rel=1e-5), (i, j)


def test_molecules_beside_themselves_are_as_beside_equal_ones(
    kernel: WeightedTanimoto, molecules: MoleculeBatch
) -> None:
    equal = molecules.gather(torch.arange(len(molecules)))
    assert torch.equal(kernel(molecules, molecules), kernel(molecules, equal))


def test_it_is_a_kernel_with_a_diagonal_of_one(
    kernel: WeightedTanimoto, molecules: MoleculeBatch
) -> None:
    matrix = kernel(molecules, molecules).double()
    torch.testing.assert_close(matrix, matrix.T)
    ones = torch.ones(len(molecules), dtype=torch.float64)
    torch.testing.assert_close(matrix.diagonal(), ones, rtol=0, atol=1e-6)
    assert float(torch.linalg.eigvalsh(matrix).min()) > -1e-6


def test_weights_all_alike_make_no_difference(molecules: MoleculeBatch) -> None:
    kernel = WeightedTanimoto()
    before = kernel(molecules, molecules)
    kernel.log_weights.fill_(1.7)
    torch.testing.assert_close(kernel(molecules, molecules), before)


def test_a_gradient_reaches_the_weights_of_what_is_there(molecules: MoleculeBatch) -> None:
    kernel = WeightedTanimoto()
    log_weights = torch.zeros_like(kernel.log_weights, requires_grad=True)
    kernel.log_weights = log_weights
    kernel(molecules, molecules).square().sum().backward()
    assert log_weights.grad is not None
    there = torch.zeros(len(log_weights), dtype=torch.bool)
    there[slots(features_of(molecules)[0])] = True
    assert bool(log_weights.grad[there].any())
    assert not log_weights.grad[~there].any()


def test_a_molecule_without_environments_or_numbers_of_a_kind_is_counted(
    kernel: WeightedTanimoto, molecules: MoleculeBatch
) -> None:
    water = read_smiles("O")
    assert isinstance(water, Molecule)
    alone = featurize([water])
    ids, counts, rows = counted(alone)
    assert len(ids) == len(counts) == len(rows) > 0
    assert bool((counts > 0).all())
    assert bool(torch.isfinite(kernel(alone, molecules)).all())


def test_it_tells_enantiomers_and_double_bonds_apart() -> None:
    texts = ("C[C@H](N)c1ccccc1", "C[C@@H](N)c1ccccc1", "C/C=C/C(=O)O", "C/C=C\\C(=O)O")
    read = [read_smiles(text) for text in texts]
    batch = featurize([m for m in read if isinstance(m, Molecule)])
    matrix = WeightedTanimoto()(batch, batch)
    for one, other in ((0, 1), (2, 3)):
        assert 0.5 < float(matrix[one, other]) < 1 - 1e-3
