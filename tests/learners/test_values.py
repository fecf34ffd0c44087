"""The contract of learners that predict values, checked on each of the registry."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import t as student
from torch import Tensor

from molmeta.assays.store import AssayStore
from molmeta.assays.task import MeasuredMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import SupportError
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.registry import LEARNERS
from molmeta.learners.values import Standard, ValueLearner, ValuePrediction, expected

ENCODER = EncoderConfig(graph_layers=1, graph_width=8, ecfp_bits=128, hidden=16, dim=8, dropout=0.0)
QUICK = {"random_forest": {"trees": 20}}
ABLE = sorted(name for name, method in LEARNERS.items() if issubclass(method, ValueLearner))
Split = Callable[..., tuple[MeasuredMolecules, MoleculeBatch]]


@pytest.fixture(params=ABLE)
def learner(request: pytest.FixtureRequest, store: AssayStore) -> ValueLearner:
    method = LEARNERS[request.param]
    built = method(ENCODER, method.Config(**QUICK.get(request.param, {})))
    if built.uses_memory:
        built.memory = CompoundMemory.of(store)
    assert isinstance(built, ValueLearner)
    return built.eval()


@pytest.fixture
def split(drugs: MoleculeBatch) -> Split:
    """A support of the first drugs, every fifth a bound if asked for, and some of the others."""

    def make(size: int = 16, bounds: bool = True) -> tuple[MeasuredMolecules, MoleculeBatch]:
        rows = torch.arange(size)
        # In steps that binary numbers hold, or rounding would choose between equal splits of trees.
        values = ((6 + torch.sin(1.7 * rows.float()) + 0.1 * rows % 1) * 64).round() / 64
        relations = torch.where(rows % 5 == 3, 1 - 2 * (rows % 2), 0).to(torch.int8)
        if not bounds:
            relations = torch.zeros_like(relations)
        support = MeasuredMolecules(drugs.gather(rows), values, relations)
        return support, drugs.gather(torch.arange(64, 84))

    return make


def test_the_closed_form_learners_and_the_baselines_predict_values() -> None:
    assert {"deepkernel", "tanimoto_gp", "random_forest", "tanimoto_knn"} <= set(ABLE)


def test_the_order_of_the_support_changes_no_bit(learner: ValueLearner, split: Split) -> None:
    support, query = split(17)
    first = learner.adapt_values(support)(query)
    for _ in range(2):
        again = learner.adapt_values(support.gather(torch.randperm(17)))(query)
        assert torch.equal(again.mean, first.mean)
        assert torch.equal(again.deviation, first.deviation)


def test_a_value_does_not_depend_on_the_molecules_beside_it(
    learner: ValueLearner, split: Split
) -> None:
    support, query = split()
    predict = learner.adapt_values(support)
    together = predict(query)
    alone = [predict(query.gather(torch.tensor([i]))) for i in range(len(query))]
    for name in ("mean", "deviation"):
        single = torch.cat([getattr(one, name) for one in alone])
        torch.testing.assert_close(single, getattr(together, name), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("stretch", "shift"), [(1.0, -7.0), (32.0, 3.0), (0.0625, 0.0)])
def test_predictions_move_and_stretch_with_the_values(
    learner: ValueLearner, split: Split, stretch: float, shift: float
) -> None:
    support, query = split()
    plain = learner.adapt_values(support)(query)
    moved = MeasuredMolecules(
        support.molecules, stretch * support.values + shift, support.relations
    )
    answer = learner.adapt_values(moved)(query)
    tolerance = {"atol": 1e-3 * stretch, "rtol": 1e-3}
    torch.testing.assert_close(answer.mean, stretch * plain.mean + shift, **tolerance)
    torch.testing.assert_close(answer.deviation, stretch * plain.deviation, **tolerance)


@pytest.mark.parametrize("size", [2, 3, 5, 16, 64])
def test_predictions_are_finite_and_never_certain(
    learner: ValueLearner, split: Split, size: int
) -> None:
    support, query = split(size)
    answer = learner.adapt_values(support)(query)
    assert answer.mean.shape == answer.deviation.shape == (len(query),)
    assert answer.mean.dtype == answer.deviation.dtype == torch.float32
    assert torch.isfinite(answer.mean).all()
    assert torch.isfinite(answer.deviation).all()
    assert (answer.deviation > 0).all()


def test_a_bound_pulls_less_than_a_value_that_it_already_meets(
    learner: ValueLearner, split: Split
) -> None:
    support, _ = split(bounds=False)
    values, low = support.values.clone(), int(support.values.argmin())
    values[low] = 8.0  # the lowest, now said to be 8 or at most 8
    relations = torch.zeros_like(support.relations)
    as_value = learner.adapt_values(MeasuredMolecules(support.molecules, values, relations))
    relations = relations.clone()
    relations[low] = -1
    as_bound = learner.adapt_values(MeasuredMolecules(support.molecules, values, relations))
    asked = support.molecules.gather(torch.tensor([low]))
    assert as_bound(asked).mean < as_value(asked).mean


def test_no_molecules_give_no_values(learner: ValueLearner, split: Split) -> None:
    support, query = split()
    answer = learner.adapt_values(support)(query.gather(torch.arange(0)))
    assert answer.mean.shape == answer.deviation.shape == (0,)


def test_copies_of_a_compound_do_no_harm(learner: ValueLearner, split: Split) -> None:
    support, query = split(4, bounds=False)
    copies = MeasuredMolecules(
        support.molecules.gather(torch.zeros(4, dtype=torch.int64)),
        support.values,
        support.relations,
    )
    answer = learner.adapt_values(copies)(query)
    assert torch.isfinite(answer.mean).all()
    assert (answer.deviation > 0).all()


def test_a_support_that_teaches_no_values_is_refused(learner: ValueLearner, split: Split) -> None:
    support, _ = split(4)
    equal = torch.full((4,), 5.0)
    bounds = torch.tensor([0, 1, 1, -1], dtype=torch.int8)
    for values, relations, said in (
        (support.values, bounds, "Only 1 of the 4 support compounds has a measured value"),
        (equal, torch.zeros(4, dtype=torch.int8), "All 4 measured support compounds have the same"),
    ):
        with pytest.raises(SupportError, match=said):
            learner.adapt_values(MeasuredMolecules(support.molecules, values, relations))


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99])
def test_intervals_and_densities_are_those_of_students_t(coverage: float) -> None:
    prediction = ValuePrediction(torch.tensor([5.0, 7.0]), torch.tensor([0.3, 1.2]))
    law = student(4, loc=prediction.mean.numpy(), scale=prediction.deviation.numpy() / 2**0.5)
    low, high = prediction.interval(coverage)
    np.testing.assert_allclose(low, law.ppf((1 - coverage) / 2), rtol=1e-5)
    np.testing.assert_allclose(high, law.ppf((1 + coverage) / 2), rtol=1e-5)
    values = torch.tensor([5.4, 4.0])
    for relation, log_density in ((0, law.logpdf), (1, law.logsf), (-1, law.logcdf)):
        found = prediction.log_density(values, torch.full((2,), relation))
        np.testing.assert_allclose(found, log_density(values.numpy()), rtol=1e-5)


def test_a_bound_stands_for_the_mean_beyond_it() -> None:
    draws = np.random.default_rng(0).standard_normal(200_000)
    values = torch.tensor([0.7, 0.7, -0.2], dtype=torch.float64)
    found: Tensor = expected(values, torch.tensor([0, 1, -1]))
    np.testing.assert_allclose(
        found, [0.7, draws[draws > 0.7].mean(), draws[draws < -0.2].mean()], atol=0.01
    )


def test_a_standard_scale_has_mean_0_and_deviation_1() -> None:
    values = torch.tensor([5.0, 6.5, 9.1])
    shrunk = Standard.of(values).shrink(values)
    assert shrunk.mean().item() == pytest.approx(0)
    assert shrunk.std().item() == pytest.approx(1)
