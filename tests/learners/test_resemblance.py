"""Resemblance against hand numbers: the assay that agrees with the support speaks loudest."""

import math

import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.assays.task import Task
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.resemblance import Resemblance

ONE = torch.tensor(1.0)
SMILES = ("CCO", "CCN", "c1ccccc1O", "CC(=O)O")


def _batch(*smiles: str) -> MoleculeBatch:
    molecules = [read_smiles(text) for text in smiles]
    return featurize([m for m in molecules if isinstance(m, Molecule)])


def _task(name: str, places: list[int], labels: list[float]) -> Task:
    n = len(places)
    return Task(
        assay_id=name,
        molecules=torch.tensor(places),
        labels=torch.tensor(labels),
        log_values=torch.full((n,), math.nan),
        relations=torch.zeros(n, dtype=torch.int8),
    )


@pytest.fixture
def memory() -> CompoundMemory:
    # Grades are 1 and -1; A and B contradict each other throughout.
    tasks = (
        _task("A", [0, 1, 2, 3], [1, 0, 1, 0]),
        _task("B", [0, 1, 2, 3], [0, 1, 0, 1]),
        _task("C", [2, 3], [1, 0]),
    )
    return CompoundMemory.of(AssayStore(tasks, _batch(*SMILES), {}, "sha"))


def test_assays_that_know_no_support_compound_stay_silent(memory: CompoundMemory) -> None:
    like = Resemblance.of(memory, _batch("CCO", "CCN"), torch.tensor([1.0, -1.0]), ONE, ONE)
    assert like.assays.tolist() == [0, 1]
    assert like.agreement.tolist() == [2.0, -2.0]


def test_the_opinion_is_the_mean_grade_by_agreement(memory: CompoundMemory) -> None:
    targets, sharpness, strength = torch.tensor([1.0, -1.0]), torch.tensor(0.5), torch.tensor(3.0)
    like = Resemblance.of(memory, _batch("CCO", "CCN"), targets, strength, sharpness)
    opinion = like.opinion(_batch("c1ccccc1O", "CC(=O)O", "CCCC"))
    share = math.exp(1) / (math.exp(1) + math.exp(-1))
    expected = 3 * (share - (1 - share)) / 1.3
    torch.testing.assert_close(opinion, torch.tensor([expected, -expected, 0.0]).double())


def test_a_support_of_strangers_has_no_opinion(memory: CompoundMemory) -> None:
    like = Resemblance.of(memory, _batch("CCCC", "CCCCC"), torch.tensor([1.0, -1.0]), ONE, ONE)
    assert not like.opinion(_batch(*SMILES)).any()


def test_values_may_fall_with_activity(memory: CompoundMemory) -> None:
    # Log odds of 1 for the assays as they are: A is as likely as B upside down.
    targets, upright = torch.tensor([1.0, -1.0]), torch.tensor(1.0)
    support, query = _batch("CCO", "CCN"), _batch("c1ccccc1O", "CCCC")
    like = Resemblance.of(memory, support, targets, ONE, torch.tensor(0.5), upright)
    # Scores of A, B, A upside down, B upside down.
    a, b, a_down, b_down = (math.exp(score) for score in (1.5, -0.5, -1.5, 0.5))
    total = a + b + a_down + b_down
    direction = (a + b - a_down - b_down) / total
    assert like.direction.item() == pytest.approx(direction)
    # Phenol has grade 1 in A and -1 in B.
    expected = (a - b - a_down + b_down) / total / 1.3
    torch.testing.assert_close(like.opinion(query), torch.tensor([expected, 0.0]).double())
    certain = Resemblance.of(memory, support, targets, ONE, torch.tensor(0.5), torch.tensor(80.0))
    plain = Resemblance.of(memory, support, targets, ONE, torch.tensor(0.5))
    torch.testing.assert_close(certain.opinion(query), plain.opinion(query))
    assert plain.direction.item() == 1.0


def test_where_nothing_is_known_values_are_taken_to_rise(memory: CompoundMemory) -> None:
    strangers, query = _batch("CCCC", "CCCCC"), _batch("CCO")
    like = Resemblance.of(memory, strangers, torch.tensor([1.0, -1.0]), ONE, ONE, ONE)
    assert like.direction.item() == 1.0
    assert like.opinion(query).item() == 0.0
