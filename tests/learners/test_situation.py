"""Settings follow the size of a support, and what a memory knows of it."""

import math

import pytest
import torch

from molmeta.chem.batch import MoleculeBatch
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.situation import absence, settings_in, situation, situational


@pytest.fixture
def support(batch: MoleculeBatch) -> MoleculeBatch:
    return batch.gather(torch.arange(8))


def test_without_a_memory_the_situation_is_the_size(support: MoleculeBatch) -> None:
    here = situation(support, None, torch.full((8, 8), 0.6), 0.5)
    assert here.tolist() == pytest.approx([1, -math.log(4), 0, 0, 1, 0], abs=1e-6)


def test_with_a_memory_it_tells_how_much_and_how_well_the_support_is_known(
    support: MoleculeBatch,
) -> None:
    memory = CompoundMemory(
        keys=support.keys[:4].sort().values,
        offsets=torch.tensor([0, 2, 4, 6, 8]),
        assays=torch.tensor([0, 1] * 4, dtype=torch.int32),
        grades=torch.ones(8, dtype=torch.float16),
        heights=torch.ones(8, dtype=torch.float16),
    )
    depth = math.log(3) / math.log(300) / 2
    expected = [1, -math.log(4), 0.5, depth, 0, 0]
    here = situation(support, memory, torch.full((8, 8), 0.6), 0.5)
    assert here.tolist() == pytest.approx(expected, abs=1e-6)


def _memory_of(support: MoleculeBatch, assays: list[list[int]]) -> CompoundMemory:
    """Of the first compounds of `support`, each with the assays that measured it."""
    order = torch.argsort(support.keys[: len(assays)])
    entries = [entry for place in order.tolist() for entry in sorted(assays[place])]
    counts = torch.tensor([0, *(len(assays[place]) for place in order.tolist())])
    return CompoundMemory(
        keys=support.keys[order],
        offsets=counts.cumsum(0),
        assays=torch.tensor(entries, dtype=torch.int32),
        grades=torch.ones(len(entries), dtype=torch.float16),
        heights=torch.ones(len(entries), dtype=torch.float16),
    )


@pytest.mark.parametrize("elsewhere", [0.5, 0.75])
@pytest.mark.parametrize(
    ("assays", "part"),
    [
        # No two of the four known compounds in one assay: all it knows is from elsewhere.
        ([[0], [1], [2], [3]], 1.0),
        # Two pairs of 28 compounds, 2 / 28 of the 0.15 from which on it counts in full.
        ([[0, 5], [0], [1, 7], [1]], 1 - 2 / 28 / 0.15),
        # Six pairs.
        ([[0], [0], [0], [0]], 0.0),
    ],
)
def test_a_memory_from_elsewhere_is_left_out_in_part(
    support: MoleculeBatch, assays: list[list[int]], part: float, elsewhere: float
) -> None:
    memory = _memory_of(support, assays)
    expected = elsewhere * part
    assert absence(support, memory, elsewhere) == pytest.approx(expected)
    here = situation(support, memory, torch.full((8, 8), 0.6), elsewhere)
    assert here[2].item() == pytest.approx(0.5 * (1 - expected))
    assert here[4].item() == pytest.approx(expected)


def test_a_memory_that_knows_nobody_is_there(support: MoleculeBatch) -> None:
    memory = _memory_of(support, [[0], [1]])
    strangers = support.gather(torch.arange(2, 8))
    assert absence(strangers, memory, 0.75) == 0
    assert absence(strangers, None, 0.75) == 1


def test_what_the_memory_brings_is_less_by_what_is_absent_of_it() -> None:
    settings = situational({"memory": 3.0, "noise": 0.2})
    with torch.no_grad():
        for coefficients in settings.values():
            coefficients[4] = 2.0
    here = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.25, 0.0], dtype=torch.float64)
    now = settings_in(here, settings)
    # The memory's own coefficient of absence does nothing.
    assert now["memory"].item() == pytest.approx(3.0 * 0.75)
    assert now["noise"].item() == pytest.approx(0.2 * math.exp(0.5))


def test_it_tells_how_alike_the_compounds_are_to_each_other_not_to_themselves(
    support: MoleculeBatch,
) -> None:
    similarity = torch.full((8, 8), 0.8).fill_diagonal_(1.0)
    assert situation(support, None, similarity, 0.5)[5].item() == pytest.approx(1.0)


def test_a_setting_starts_alike_in_every_situation() -> None:
    settings = situational({"noise": 0.2})
    here = torch.tensor([1.0, 2.0, 0.3, 0.1, 0.0, 0.4], dtype=torch.float64)
    assert settings_in(here, settings)["noise"].item() == pytest.approx(0.2)


def test_its_coefficients_act_on_its_logarithm() -> None:
    settings = situational({"noise": 0.2})
    with torch.no_grad():
        settings["noise"][1:] = torch.tensor([0.5, 2.0, 0.0, 7.0, 1.0])
    here = torch.tensor([1.0, -math.log(4), 0.5, 0.3, 0.0, -0.5], dtype=torch.float64)
    expected = 0.2 * 0.25**0.5 * math.exp(0.5)
    assert settings_in(here, settings)["noise"].item() == pytest.approx(expected)
