"""Parts add up to the prediction, and a joint belief has the marginals that are predicted."""

from collections.abc import Iterator

import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.assays.task import LabeledMolecules, MeasuredMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.learners.base import HeadLearner, HeadPredictor, fixed_order
from molmeta.learners.deepkernel import DeepKernel
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.parts import FINGERPRINT, LEARNED, SHARED, Parts, joint_of, parts_of
from molmeta.learners.registry import LEARNERS
from molmeta.learners.value_scale import ValueScale
from molmeta.learners.values import ValueHeadLearner

ENCODER = EncoderConfig(graph_layers=1, graph_width=8, ecfp_bits=64, hidden=16, dim=8, dropout=0.0)
EXACT = ("adkf", "deepkernel", "protonet")


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def build(name: str, store: AssayStore, memory: bool = True) -> HeadLearner:
    torch.manual_seed(0)
    learner = LEARNERS[name](ENCODER, LEARNERS[name].Config())
    if learner.uses_memory and memory:
        learner.memory = CompoundMemory.of(store)
    assert isinstance(learner, HeadLearner)
    return learner.eval()


def support_of(drugs: MoleculeBatch) -> LabeledMolecules:
    """Sixteen compounds, a third of them active."""
    rows = torch.arange(16)
    return LabeledMolecules(drugs.gather(rows), (rows % 3 == 0).float())


def parts(learner: HeadLearner, support: LabeledMolecules, query: MoleculeBatch) -> Parts:
    found = parts_of(learner.adapt(support), query)
    assert found is not None
    return found


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("name", EXACT)
def test_the_parts_add_up_to_the_logit(
    name: str, memory: bool, store: AssayStore, drugs: MoleculeBatch
) -> None:
    learner, support = build(name, store, memory), support_of(drugs)
    query = drugs.gather(torch.arange(10, 80))  # some of the support among them
    found = parts(learner, support, query)
    logit = learner.adapt(support)(query).logit
    torch.testing.assert_close(found.total.float(), logit, atol=1e-5, rtol=0)
    assert all(part.shape == (16, 70) for part in found.support.values())
    assert all(part.shape == (70,) for part in found.base.values())
    assert (SHARED in found.support) == (memory and name in ("adkf", "deepkernel"))


def test_the_parts_add_up_to_the_value_with_bounds_among_the_support(
    store: AssayStore, drugs: MoleculeBatch
) -> None:
    learner = build("deepkernel", store)
    assert isinstance(learner, ValueHeadLearner)
    values = torch.linspace(0, 20, 16).sin() + 6
    relations = (torch.arange(16) % 5 == 0).to(torch.int8)
    support = MeasuredMolecules(drugs.gather(torch.arange(16)), values, relations)
    predictor, query = learner.adapt_values(support), drugs.gather(torch.arange(10, 80))
    found = parts_of(predictor, query)
    assert found is not None
    torch.testing.assert_close(found.total.float(), predictor(query).mean, atol=1e-5, rtol=0)


def test_a_compound_pulls_its_twins_its_own_way(store: AssayStore, drugs: MoleculeBatch) -> None:
    support = support_of(drugs)
    for name in EXACT:
        found = parts(build(name, store, memory=False), support, support.molecules)
        own = torch.stack([*found.support.values()]).sum(0)[:, fixed_order(support)].diagonal()
        signs = 2 * support.labels[fixed_order(support)] - 1
        assert (own * signs > 0).double().mean() > 0.9, name


def test_a_label_that_is_turned_turns_the_sign_of_its_share(
    store: AssayStore, drugs: MoleculeBatch
) -> None:
    support = support_of(drugs)
    turned = support.labels.clone()
    turned[0] = 1 - turned[0]
    twin = support.molecules.gather(torch.tensor([0]))
    learner = build("deepkernel", store, memory=False)
    shares = []
    for one in (support, LabeledMolecules(support.molecules, turned)):
        found = parts(learner, one, twin).reordered(fixed_order(one).argsort())
        shares.append(float(torch.stack([*found.support.values()]).sum(0)[0, 0]))
    assert shares[0] > 0 > shares[1]


def test_the_shares_of_a_kernel_are_its_weights_times_the_kernel(
    store: AssayStore, drugs: MoleculeBatch
) -> None:
    learner = build("deepkernel", store)
    assert isinstance(learner, DeepKernel)
    support, query = support_of(drugs), drugs.gather(torch.arange(20, 30))
    with_tanimoto = parts(learner, support, query).support[FINGERPRINT]
    learner.settings["tanimoto"][0] -= 30
    without = parts(learner, support, query).support
    assert with_tanimoto.abs().max() > 1e-3
    assert without[FINGERPRINT].abs().max() < 1e-9
    assert without[LEARNED].abs().max() > 1e-3


@pytest.mark.parametrize("name", sorted({*LEARNERS} - {*EXACT}))
def test_methods_that_are_no_sum_say_so(name: str, store: AssayStore, drugs: MoleculeBatch) -> None:
    method = LEARNERS[name]
    predictor = method(ENCODER, method.Config()).eval().adapt(support_of(drugs))
    assert parts_of(predictor, drugs) is None
    assert joint_of(predictor, drugs) is None


@pytest.mark.parametrize("name", ["adkf", "deepkernel"])
def test_the_joint_belief_has_the_predicted_deviation_and_is_a_covariance(
    name: str, store: AssayStore, drugs: MoleculeBatch
) -> None:
    learner = build(name, store)
    support, query = support_of(drugs), drugs.gather(torch.arange(30, 50))
    predictor = learner.adapt(support)
    joint = joint_of(predictor, query)
    assert joint is not None
    assert isinstance(predictor, HeadPredictor)
    prediction = predictor(query)
    scale = prediction.logit.double() / joint.mean
    torch.testing.assert_close(
        scale * joint.covariance.diagonal().sqrt(),
        prediction.deviation.double(),
        atol=1e-5,
        rtol=1e-4,
    )
    smallest = torch.linalg.eigvalsh(joint.covariance).min()
    assert smallest > -1e-9
    assert joint.noise > 0


def test_the_joint_belief_of_values_has_the_predicted_mean_and_deviation(
    store: AssayStore, drugs: MoleculeBatch
) -> None:
    learner = build("deepkernel", store)
    assert isinstance(learner, ValueHeadLearner)
    values = torch.linspace(0, 20, 16).sin() + 6
    measured = torch.zeros(16, dtype=torch.int8)
    support = MeasuredMolecules(drugs.gather(torch.arange(16)), values, measured)
    predictor, query = learner.adapt_values(support), drugs.gather(torch.arange(30, 50))
    joint, prediction = joint_of(predictor, query), predictor(query)
    assert joint is not None
    variance = joint.covariance.diagonal() + joint.noise
    restored = ValueScale.of(values).restored(joint.mean, variance)
    torch.testing.assert_close(restored.mean, prediction.mean)
    torch.testing.assert_close(restored.deviation, prediction.deviation)
