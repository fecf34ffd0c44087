"""The contract of every learner, checked on each entry of the registry."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from molmeta.assays.episodes import EpisodeBatch, EpisodeSampler
from molmeta.assays.store import AssayStore
from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import SupportError
from molmeta.learners.base import Learner
from molmeta.learners.gaussian_process import KernelLearner
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.registry import LEARNERS
from molmeta.learners.size_law import SizeLaw

ENCODER = EncoderConfig(
    graph_layers=2, graph_width=16, ecfp_bits=256, hidden=32, dim=16, dropout=0.0
)
QUICK = {"random_forest": {"trees": 20}}
# The posterior that draws heads in training sees the query, which `adapt` never does.
MET_IN_TRAINING_ALONE = {"platipus": ("posterior.", "posterior_rates.")}
OF_VALUES = "value_settings."  # fitted after meta-training, which is on classes
TRAINABLE = sorted(name for name, method in LEARNERS.items() if method.trainable)


def build(name: str) -> Learner:
    method = LEARNERS[name]
    return method(ENCODER, method.Config(**QUICK.get(name, {})))


def build_with_memory(name: str, store: AssayStore) -> Learner:
    learner = build(name)
    if learner.uses_memory:
        learner.memory = CompoundMemory.of(store)
    return learner


@pytest.fixture(params=sorted(LEARNERS))
def learner(request: pytest.FixtureRequest, store: AssayStore) -> Learner:
    return build_with_memory(request.param, store).eval()


@pytest.fixture(params=TRAINABLE)
def trainable(request: pytest.FixtureRequest, store: AssayStore) -> Learner:
    return build_with_memory(request.param, store).train()


@pytest.fixture
def split(drugs: MoleculeBatch) -> Callable[..., tuple[LabeledMolecules, MoleculeBatch]]:
    """A support of the first drugs, every `period`-th active, and the drugs after the 64th."""

    def make(size: int = 16, period: int = 2) -> tuple[LabeledMolecules, MoleculeBatch]:
        rows = torch.arange(size)
        support = LabeledMolecules(drugs.gather(rows), (rows % period == 0).float())
        return support, drugs.gather(torch.arange(64, len(drugs)))

    return make


@pytest.fixture
def episodes(store: AssayStore) -> EpisodeBatch:
    return EpisodeSampler(store, support_sizes=(8, 16), query_size=12, seed=3).draw(0, 4)


def reordered(support: LabeledMolecules, order: Tensor) -> LabeledMolecules:
    return LabeledMolecules(support.molecules.gather(order), support.labels[order])


def test_the_order_of_the_support_changes_no_bit(learner, split):
    support, query = split(17, period=3)
    expected = learner.adapt(support)(query).logit
    for _ in range(3):
        shuffled = reordered(support, torch.randperm(17))
        assert torch.equal(learner.adapt(shuffled)(query).logit, expected)


def test_adapting_twice_gives_the_same_bits(learner, split):
    support, query = split()
    assert torch.equal(learner.adapt(support)(query).logit, learner.adapt(support)(query).logit)


@pytest.mark.parametrize("training", [False, True])
def test_a_score_does_not_depend_on_the_molecules_beside_it(learner, split, training):
    support, query = split()
    predict = learner.train(training).adapt(support)
    together = predict(query).logit
    alone = torch.cat([predict(query.gather(torch.tensor([i]))).logit for i in range(len(query))])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-5)
    backwards = predict(query.gather(torch.arange(len(query)).flip(0))).logit.flip(0)
    torch.testing.assert_close(backwards, together, atol=1e-5, rtol=1e-5)


def test_adapting_and_predicting_leave_the_learner_as_it_was(learner, split):
    support, query = split()
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    learned = [p.requires_grad for p in learner.parameters()]
    learner.adapt(support)(query)
    after = learner.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(p.grad is None for p in learner.parameters())
    assert [p.requires_grad for p in learner.parameters()] == learned
    assert not learner.training


@pytest.mark.parametrize(("label", "missing"), [(1.0, "inactive"), (0.0, "active")])
def test_a_support_of_one_class_is_refused_by_name(learner, split, label, missing):
    support, _ = split()
    one_class = LabeledMolecules(support.molecules, torch.full((16,), label))
    with pytest.raises(SupportError, match=rf"None of the 16 support compounds is {missing}:"):
        learner.adapt(one_class)


def test_a_support_of_one_class_is_refused_among_episodes(learner, episodes):
    labels = episodes.labels.clone()
    labels[episodes.support[1]] = 1.0
    broken = EpisodeBatch(
        episodes.molecules, labels, episodes.support, episodes.query, episodes.assay_ids
    )
    with pytest.raises(SupportError, match="inactive"):
        learner.query_logits(broken)


def test_episodes_together_score_like_each_adapted_alone(learner, episodes):
    together = learner.query_logits(episodes)
    assert len(together) == len(episodes)
    for logits, episode in zip(together, episodes, strict=True):
        alone = learner.adapt(episode.support)(episode.query.molecules).logit
        torch.testing.assert_close(logits, alone, atol=1e-5, rtol=1e-4)


def test_every_law_of_the_size_is_asked_about_the_support_at_hand(trainable, split):
    trainable.eval()
    laws = [module for module in trainable.modules() if isinstance(module, SizeLaw)]
    # A process has settings that follow the support instead.
    assert laws or isinstance(trainable, KernelLearner)
    for law in laws:
        for size in (16, 32):
            support, query = split(size)
            before = trainable.adapt(support)(query).logit.detach()
            with torch.no_grad():
                law.law[1] += 1.0
            after = trainable.adapt(support)(query).logit.detach()
            with torch.no_grad():
                law.law[1] -= 1.0
            # At 32 compounds a law is what it starts from, however it grows.
            assert torch.allclose(before, after, rtol=0, atol=1e-6) == (size == 32)


@pytest.mark.parametrize("size", [2, 3, 5, 8, 16, 32, 64])
def test_logits_are_finite_for_small_and_large_supports(learner, split, size):
    support, query = split(size)
    prediction = learner.adapt(support)(query)
    assert prediction.logit.shape == prediction.deviation.shape == (len(query),)
    assert prediction.logit.dtype == torch.float32
    assert torch.isfinite(prediction.logit).all()
    assert ((prediction.probability > 0) & (prediction.probability < 1)).all()
    assert not (prediction.deviation < 0).any()


@pytest.mark.parametrize("size", [16, 64])
@pytest.mark.parametrize("flipped", [False, True])
def test_logits_are_finite_for_one_in_sixteen(learner, split, size, flipped):
    support, query = split(size, period=16)
    labels = 1 - support.labels if flipped else support.labels
    logit = learner.adapt(LabeledMolecules(support.molecules, labels))(query).logit
    assert torch.isfinite(logit).all()


def test_the_support_itself_may_be_asked(learner, split):
    support, _ = split(32)
    assert torch.isfinite(learner.adapt(support)(support.molecules).logit).all()


def test_no_molecules_give_no_scores(learner, split):
    support, query = split()
    prediction = learner.adapt(support)(query.gather(torch.arange(0)))
    assert prediction.logit.shape == prediction.deviation.shape == (0,)


def test_a_compound_measured_many_times_does_no_harm(learner, split):
    support, query = split()
    repeated = reordered(support, torch.tensor([*range(16), 0, 0, 1, 1, 1, 5]))
    assert torch.isfinite(learner.adapt(repeated)(query).logit).all()


def test_a_compound_that_is_active_and_inactive_does_no_harm(learner, split):
    support, query = split()
    doubled = LabeledMolecules(
        support.molecules.gather(torch.arange(16).repeat(2)),
        torch.cat([support.labels, 1 - support.labels]),
    )
    logit = learner.adapt(doubled)(query).logit
    assert torch.isfinite(logit).all()
    shuffled = reordered(doubled, torch.randperm(32))
    assert torch.equal(learner.adapt(shuffled)(query).logit, logit)


def test_all_copies_of_one_compound_do_no_harm(learner, split):
    support, query = split()
    copies = LabeledMolecules(
        support.molecules.gather(torch.zeros(16, dtype=torch.int64)), support.labels
    )
    assert torch.isfinite(learner.adapt(copies)(query).logit).all()


def test_a_gradient_reaches_every_weight_through_adapt(trainable, split):
    support, query = split()
    logits = trainable.adapt(support)(query).logit
    torch.nn.functional.softplus(-logits).mean().backward()
    (name,) = (name for name, method in LEARNERS.items() if method is type(trainable))
    check_gradients(trainable, without=MET_IN_TRAINING_ALONE.get(name, ()))


def test_the_meta_loss_reaches_every_weight(trainable, episodes):
    loss = trainable.meta_loss(episodes)
    assert loss.shape == ()
    assert torch.isfinite(loss)
    loss.backward()
    check_gradients(trainable)


def check_gradients(learner: Learner, without: tuple[str, ...] = ()) -> None:
    for name, parameter in learner.named_parameters():
        if name.startswith((OF_VALUES, *without)):
            assert parameter.grad is None, name
            continue
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    for part in ("atom_embeddings", "bond_embeddings", "from_graph", "from_ecfp", "mix"):
        total = sum(
            parameter.grad.abs().sum()
            for name, parameter in learner.named_parameters()
            if part in name
        )
        assert total > 0, part


def test_the_loss_falls_along_its_gradient(trainable, episodes):
    torch.manual_seed(0)  # before each loss: some learners draw
    loss = trainable.meta_loss(episodes)
    weights = [p for n, p in trainable.named_parameters() if not n.startswith(OF_VALUES)]
    gradients = torch.autograd.grad(loss, weights)
    norm = torch.sqrt(sum(g.square().sum() for g in gradients))
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            weight -= 1e-3 * gradient / norm
    torch.manual_seed(0)
    assert trainable.meta_loss(episodes) < loss


def test_methods_without_weights_say_so():
    for name, method in LEARNERS.items():
        assert method.trainable == any(True for _ in build(name).parameters()), name
