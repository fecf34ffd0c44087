"""CompoundMemory against hand numbers, and what it adds to a deep kernel."""

import math
from dataclasses import replace

import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.assays.task import LabeledMolecules, MeasuredMolecules, Task
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.encoders.config import EncoderConfig
from molmeta.learners.adkf import ADKF, ADKFConfig
from molmeta.learners.deepkernel import DeepKernel, DeepKernelConfig
from molmeta.learners.memory import CompoundMemory

SMILES = ("CCO", "CCN", "c1ccccc1O", "CC(=O)O", "CCCl")


def _batch(*smiles: str) -> MoleculeBatch:
    molecules = [read_smiles(text) for text in smiles]
    return featurize([m for m in molecules if isinstance(m, Molecule)])


def _task(name: str, places: list[int], labels: list[float]) -> Task:
    n = len(places)
    return Task(
        assay_id=name,
        molecules=torch.tensor(places),
        labels=torch.tensor(labels, dtype=torch.float32),
        log_values=torch.full((n,), math.nan),
        relations=torch.zeros(n, dtype=torch.int8),
    )


@pytest.fixture
def memory() -> CompoundMemory:
    # Two assays, half active each: ethanol and ethylamine agree, phenol is the other way round.
    tasks = (_task("A", [0, 1, 2, 3], [1, 1, 0, 0]), _task("B", [0, 1, 2, 3], [1, 0, 0, 1]))
    return CompoundMemory.of(AssayStore(tasks, _batch(*SMILES), {}, "sha"))


def test_the_kernel_is_the_shrunk_covariance_of_profiles(memory: CompoundMemory) -> None:
    kernel = memory.kernel(_batch("CCO"), _batch("CCO", "CCN", "c1ccccc1O"))
    # Grades (1, 1), (1, -1), (-1, -1) minus the means 2/3, 0, -2/3; each compound is in two assays:
    # (1/3, 1/3) times (1/3, 1/3), (1, -1), (-1/3, -1/3), over √(6 · 6).
    expected = torch.tensor([[2 / 54, 0.0, -2 / 54]], dtype=torch.float64)
    torch.testing.assert_close(kernel, expected)


def test_pairs_that_one_assay_measured_are_together() -> None:
    tasks = (_task("A", [0, 1], [1, 0]), _task("B", [1, 2], [1, 0]))
    memory = CompoundMemory.of(AssayStore(tasks, _batch(*SMILES), {}, "sha"))
    # Of six pairs the first two and the middle two; the last compound is not known.
    assert memory.together(_batch(*SMILES[:4])) == pytest.approx(2 / 6)
    assert memory.together(_batch(SMILES[3])) == 0


def test_a_compound_that_is_not_known_is_like_none(memory: CompoundMemory) -> None:
    strangers = _batch("CCCl", "CCCCCC")
    assert not memory.kernel(strangers, _batch(*SMILES)).any()
    assert not memory.kernel(_batch(*SMILES), strangers).any()
    assert not memory.own(strangers).any()
    assert not memory.mean(strangers).any()


def test_a_memory_without_an_assay_is_that_of_the_others(memory: CompoundMemory) -> None:
    only = (_task("C", [3, 4], [1, 0]), _task("D", [0, 1, 2], [1, 1, 0]))
    both = CompoundMemory.of(AssayStore(only, _batch(*SMILES), {}, "sha"))
    alone = CompoundMemory.of(AssayStore(only[1:], _batch(*SMILES), {}, "sha"))
    without = both.without(0)
    for name in ("keys", "offsets", "grades", "heights"):
        assert torch.equal(getattr(without, name), getattr(alone, name)), name
    assert without.knows(_batch(*SMILES)).tolist() == [True, True, True, False, False]
    assert without.assays.tolist() == [1, 1, 1]
    assert torch.equal(memory.without(7).mean(_batch(*SMILES)), memory.mean(_batch(*SMILES)))


def test_own_is_the_kernels_diagonal(memory: CompoundMemory) -> None:
    molecules = _batch(*SMILES)
    diagonal = memory.kernel(molecules, molecules).diagonal()
    torch.testing.assert_close(memory.own(molecules), diagonal)


def test_mean_is_the_shrunk_mean_of_the_grades(memory: CompoundMemory) -> None:
    expected = torch.tensor([2 / 3, 0.0, -2 / 3], dtype=torch.float64)
    torch.testing.assert_close(memory.mean(_batch("CCO", "CCN", "c1ccccc1O")), expected)


def test_values_are_asked_of_heights_and_classes_of_grades(memory: CompoundMemory) -> None:
    apart = replace(memory, heights=-memory.grades)
    molecules = _batch(*SMILES)
    torch.testing.assert_close(apart.of_values.mean(molecules), -memory.mean(molecules))
    assert torch.equal(apart.mean(molecules), memory.mean(molecules))
    assert torch.equal(apart.of_values.knows(molecules), memory.knows(molecules))
    assert apart.of_values.known is apart.known
    tiny = EncoderConfig(graph_width=8, graph_layers=1, hidden=16, dim=8)
    # Not among the memory's compounds, so that their own profiles say nothing.
    strangers = _batch("CCCl", "CCCCCC")
    for learner in (DeepKernel(tiny, DeepKernelConfig()), ADKF(tiny, ADKFConfig())):
        learner.eval()
        found = {}
        for name, known in (("equal", memory), ("apart", apart)):
            learner.memory = known
            labels = LabeledMolecules(strangers, torch.tensor([1.0, 0.0]))
            values = MeasuredMolecules(
                strangers, torch.tensor([7.0, 5.0]), torch.zeros(2, dtype=torch.int8)
            )
            classes = learner.adapt(labels)(molecules).logit
            found[name] = classes, learner.adapt_values(values)(molecules).mean
        assert torch.equal(found["equal"][0], found["apart"][0])
        ethanol = found["equal"][1][0], found["apart"][1][0]
        assert ethanol[0] > ethanol[1] + 0.05


def test_a_compound_measured_twice_in_an_assay_has_its_mean_there() -> None:
    tasks = (_task("A", [0, 0, 1, 2], [1, 0, 0, 1]),)
    twice = CompoundMemory.of(AssayStore(tasks, _batch(*SMILES), {}, "sha"))
    # Ethanol's grades 1 and -1 make 0 in one assay; its mean is 0 / (1 + 1).
    assert len(twice.grades) == 3
    torch.testing.assert_close(twice.mean(_batch("CCO")), torch.tensor([0.0], dtype=torch.float64))
    molecules = _batch("CCO", "CCN")
    torch.testing.assert_close(twice.own(molecules), twice.kernel(molecules, molecules).diagonal())


def test_the_memory_moves_known_compounds_and_leaves_strangers_alone(
    memory: CompoundMemory,
) -> None:
    tiny = EncoderConfig(graph_width=8, graph_layers=1, hidden=16, dim=8)
    learner = DeepKernel(tiny, DeepKernelConfig()).eval()
    # Neither support compound is known, so the memory's kernel says nothing: its mean alone acts.
    support = LabeledMolecules(_batch("CCCl", "CCCCCC"), torch.tensor([1.0, 0.0]))
    queries = _batch("CCO", "c1ccccc1O", "CCCCO")
    without = learner.adapt(support)(queries).logit
    learner.memory = memory
    moved = learner.adapt(support)(queries).logit - without
    assert moved[0] > 0.05
    assert moved[1] < -0.05
    torch.testing.assert_close(moved[2], torch.tensor(0.0))
