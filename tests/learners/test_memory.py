"""CompoundMemory against hand numbers, and what it adds to a deep kernel."""

import math

import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.assays.task import LabeledMolecules, Task
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.encoders.config import EncoderConfig
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


def test_the_kernel_is_the_shrunk_agreement_of_profiles(memory: CompoundMemory) -> None:
    kernel = memory.kernel(_batch("CCO"), _batch("CCO", "CCN", "c1ccccc1O"))
    # Profiles (.5, .5), (.5, -.5), (-.5, -.5): products .5, 0, -.5 over √(1.5 · 1.5).
    torch.testing.assert_close(kernel, torch.tensor([[1 / 3, 0.0, -1 / 3]], dtype=torch.float64))


def test_a_compound_that_is_not_known_is_like_none(memory: CompoundMemory) -> None:
    strangers = _batch("CCCl", "CCCCCC")
    assert not memory.kernel(strangers, _batch(*SMILES)).any()
    assert not memory.kernel(_batch(*SMILES), strangers).any()
    assert not memory.own(strangers).any()
    assert not memory.mean(strangers).any()


def test_own_is_the_kernels_diagonal(memory: CompoundMemory) -> None:
    molecules = _batch(*SMILES)
    diagonal = memory.kernel(molecules, molecules).diagonal()
    torch.testing.assert_close(memory.own(molecules), diagonal)


def test_mean_is_the_shrunk_mean_of_the_values(memory: CompoundMemory) -> None:
    expected = torch.tensor([1 / 3, 0.0, -1 / 3], dtype=torch.float64)
    torch.testing.assert_close(memory.mean(_batch("CCO", "CCN", "c1ccccc1O")), expected)


def test_a_compound_measured_twice_in_an_assay_keeps_kernel_and_diagonal_equal() -> None:
    tasks = (_task("A", [0, 0, 1], [1, 1, 0]),)
    twice = CompoundMemory.of(AssayStore(tasks, _batch(*SMILES), {}, "sha"))
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
