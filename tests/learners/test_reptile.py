"""Reptile's meta-gradient against hand numbers and a loop written out."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from molmeta.assays.episodes import EpisodeBatch
from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.maml import MAML, MAMLConfig
from molmeta.learners.reptile import Reptile, ReptileConfig

# The fingerprint and the descriptors are float32 by contract; the graph follows its weights.
ENCODER = EncoderConfig(
    ecfp=False, descriptors=False, graph_layers=2, graph_width=8, hidden=16, dim=8, dropout=0.0
)


def make_reptile(**settings: object) -> Reptile:
    torch.manual_seed(0)
    return Reptile(ENCODER, ReptileConfig(**settings)).double()


@pytest.fixture
def episodes(drugs: MoleculeBatch) -> EpisodeBatch:
    """Two tasks: 10 support and 6 query molecules, then 12 and 6."""
    rows = torch.arange(34)
    (a, b), (c, d) = (part.split([len(part) - 6, 6]) for part in rows.split([16, 18]))
    labels = (rows % 3 == 0).double()
    return EpisodeBatch(drugs.gather(rows), labels, (a, c), (b, d), ("a", "b"))


def whole_tasks(episodes: EpisodeBatch) -> list[LabeledMolecules]:
    rows = [torch.cat(parts) for parts in zip(episodes.support, episodes.query, strict=True)]
    return [LabeledMolecules(episodes.molecules.gather(r), episodes.labels[r]) for r in rows]


def logits_of(learner: Reptile, weight: Tensor, bias: Tensor, molecules: MoleculeBatch) -> Tensor:
    directions = nn.functional.normalize(learner.encoder(molecules), dim=1)
    return learner.head.log_radius.exp() * directions @ weight + bias


@pytest.mark.parametrize("head_init", ["prototype", "learned"])
def test_with_one_step_the_gradient_is_that_of_the_loss_on_the_whole_task(
    head_init: str, episodes: EpisodeBatch
) -> None:
    learner = make_reptile(inner_steps=1, head_init=head_init, head_lr=0.3, encoder_lr=0.02)
    learner.meta_loss(episodes).backward()

    plain = make_reptile(head_init=head_init)
    for task in whole_tasks(episodes):
        start = plain.start(task)
        # Prototypes, and the log odds added to the bias, are constants of the task.
        weight, bias = start["head.weight"].detach(), start["head.bias"].detach()
        if head_init == "learned":
            weight, bias = plain.head.weight, plain.head.bias + (bias - plain.head.bias).detach()
        logits = logits_of(plain, weight, bias, task.molecules)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, task.labels)
        (loss / len(episodes)).backward()
    expected = dict(plain.named_parameters())
    for name, parameter in learner.named_parameters():
        if name not in ("head.log_radius", "head.temperature.law"):  # they take no inner step
            torch.testing.assert_close(parameter.grad, expected[name].grad, atol=1e-12, rtol=1e-9)


def test_the_gradient_is_the_way_that_the_steps_went_over_their_rate(
    episodes: EpisodeBatch,
) -> None:
    settings = {"inner_steps": 3, "head_lr": 0.3, "encoder_lr": 0.02}
    learner = make_reptile(**settings)
    torch.manual_seed(5)
    loss = learner.meta_loss(episodes)
    loss.backward()

    torch.manual_seed(5)
    ways = {name: torch.zeros_like(p) for name, p in learner.encoder.named_parameters()}
    last_losses = []
    for task in whole_tasks(episodes):
        walker = copy.deepcopy(learner)
        start = walker.start(task)
        weight, bias = (
            start[f"head.{name}"].detach().requires_grad_() for name in ("weight", "bias")
        )
        optimizer = torch.optim.SGD(
            [
                {"params": walker.encoder.parameters(), "lr": 0.02},
                {"params": [weight, bias], "lr": 0.3},
            ]
        )
        for rows in torch.randperm(len(task)).chunk(3):
            optimizer.zero_grad()
            logits = logits_of(walker, weight, bias, task.molecules.gather(rows))
            nn.functional.binary_cross_entropy_with_logits(logits, task.labels[rows]).backward()
            optimizer.step()
        for (name, end), first in zip(
            walker.encoder.named_parameters(), learner.encoder.parameters(), strict=True
        ):
            ways[name] += (first - end).detach() / 0.02 / len(episodes)
        logits = logits_of(walker, weight, bias, task.molecules)
        last_losses.append(nn.functional.binary_cross_entropy_with_logits(logits, task.labels))
    for name, parameter in learner.encoder.named_parameters():
        torch.testing.assert_close(parameter.grad, ways[name], atol=1e-10, rtol=1e-7)
    # What the log shows is the loss where the steps ended.
    torch.testing.assert_close(loss, torch.stack(last_losses).mean())


def test_the_head_starts_anew_and_so_moves_no_encoder(episodes: EpisodeBatch) -> None:
    # With an encoder that stands still, the head's own way must not reach the encoder's gradient.
    near, far = (
        make_reptile(inner_steps=1, head_lr=head_lr, encoder_lr=1e-9) for head_lr in (1e-6, 0.9)
    )
    for learner in (near, far):
        learner.meta_loss(episodes).backward()
    for a, b in zip(near.encoder.parameters(), far.encoder.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-7, rtol=1e-5)


def test_reptile_adapts_as_first_order_maml_with_rates_that_stay(drugs: MoleculeBatch) -> None:
    rows = torch.arange(16)
    support = LabeledMolecules(drugs.gather(rows), (rows % 3 == 0).double())
    reptile = make_reptile(inner_steps=4, head_lr=0.3, encoder_lr=0.05).eval()
    maml = MAML(
        ENCODER, MAMLConfig(inner_steps=4, head_lr=0.3, encoder_lr=0.05, learn_rates=False)
    ).double()
    maml.load_state_dict({**maml.state_dict(), **reptile.state_dict()})
    query = drugs.gather(torch.arange(16, 30))
    logits = [learner.eval().adapt(support)(query).logit for learner in (reptile, maml)]
    torch.testing.assert_close(*logits)
    reptile.config = replace(reptile.config, inner_steps=3)
    assert not torch.allclose(reptile.adapt(support)(query).logit, logits[0], rtol=1e-3)


def test_a_task_smaller_than_the_number_of_steps_gives_a_loss(episodes: EpisodeBatch) -> None:
    learner = make_reptile(inner_steps=10)
    tiny = EpisodeBatch(
        episodes.molecules,
        episodes.labels,
        (torch.tensor([0, 1, 2, 3]),),
        (torch.tensor([4]),),
        ("a",),
    )
    assert torch.isfinite(learner.meta_loss(tiny))


def test_meta_training_lowers_the_loss(episodes: EpisodeBatch) -> None:
    torch.manual_seed(0)
    fused = EncoderConfig(
        graph_layers=2, graph_width=8, ecfp_bits=64, hidden=16, dim=8, dropout=0.0
    )
    learner = Reptile(fused, ReptileConfig())
    episodes = replace(episodes, labels=episodes.labels.float())
    optimizer = torch.optim.Adam(learner.parameters(), lr=3e-3)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = learner.meta_loss(episodes)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_settings_that_cannot_adapt_are_refused() -> None:
    for settings in ({"inner_steps": 0}, {"head_lr": 0.0}, {"encoder_lr": -1.0}):
        (name,) = settings
        with pytest.raises(ConfigError, match=name):
            ReptileConfig(**settings)
