"""FusedEncoder: both backends agree, each input can be left out, each molecule stands alone."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import read_smiles
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.fused import FusedEncoder
from molmeta.errors import ConfigError

SMALL = EncoderConfig(graph_layers=2, graph_width=12, ecfp_bits=128, hidden=24, dim=10)
INPUTS = [
    dict(zip(("graph", "ecfp", "descriptors"), on, strict=True))
    for on in product((True, False), repeat=3)
    if any(on)
]


def changed(batch: MoleculeBatch, name: str) -> MoleculeBatch:
    """The batch with one input of each molecule replaced by something else."""
    arrays = batch.tensors()
    if name == "graph":
        arrays["atoms"] = batch.atoms.clone()
        arrays["atoms"][:, 0] = 0
    elif name == "ecfp":
        arrays["ecfp_ids"] = batch.ecfp_ids + 1
    else:
        arrays["descriptors"] = batch.descriptors + 1
    return MoleculeBatch(**arrays)


@pytest.mark.parametrize("inputs", INPUTS)
def test_an_input_counts_if_it_is_on_and_does_not_exist_if_it_is_off(batch, inputs):
    encoder = FusedEncoder(replace(SMALL, **inputs)).eval()
    expected = encoder(batch)
    assert expected.shape == (len(batch), encoder.dim) == (len(batch), 10)
    for name, on in inputs.items():
        found = encoder(changed(batch, name))
        moved = (found - expected).abs().amax(1) > 1e-6
        assert bool(moved.all() if on else not moved.any()), name
    names = " ".join(encoder.state_dict())
    assert ("from_graph" in names) == inputs["graph"]
    assert ("from_ecfp" in names) == inputs["ecfp"]
    assert ("descriptor" in names) == inputs["descriptors"]


def test_both_backends_give_the_same_values_and_gradients(batch):
    ours = FusedEncoder(SMALL, "torch").eval()
    theirs = FusedEncoder(SMALL, "pyg").eval()
    for encoder in (ours, theirs):
        encoder.fit_inputs(batch)
    theirs.load_state_dict(ours.state_dict())
    left, right = ours(batch), theirs(batch)
    torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-5)
    left.square().mean().backward()
    right.square().mean().backward()
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert a.grad is not None, name
        torch.testing.assert_close(a.grad, b.grad, atol=1e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("training", [False, True])
def test_a_molecule_alone_equals_itself_among_others(batch, inputs, training):
    encoder = FusedEncoder(replace(SMALL, dropout=0.0, **inputs)).train(training)
    together = encoder(batch)
    for i in range(0, len(batch), 20):
        alone = encoder(batch.gather(torch.tensor([i])))[0]
        torch.testing.assert_close(alone, together[i], atol=1e-5, rtol=1e-5)


def test_the_order_of_the_batch_is_the_order_of_the_vectors(batch):
    encoder = FusedEncoder(SMALL).eval()
    order = torch.randperm(len(batch))
    found = encoder(batch.gather(order))
    torch.testing.assert_close(found, encoder(batch)[order], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("inputs", INPUTS)
def test_the_smallest_molecules_and_none_at_all_are_encoded(inputs):
    encoder = FusedEncoder(replace(SMALL, **inputs)).eval()
    assert torch.isfinite(encoder(featurize([read_smiles("C")]))).all()
    assert encoder(featurize([])).shape == (0, 10)


def test_fitted_descriptors_have_mean_0_and_deviation_1(batch):
    encoder = FusedEncoder(SMALL)
    encoder.fit_inputs(batch)
    values = torch.log1p(batch.descriptors.float())
    scaled = (values - encoder.descriptor_mean) / encoder.descriptor_scale
    varied = values.std(0) > 0
    torch.testing.assert_close(scaled.mean(0), torch.zeros(42), atol=1e-4, rtol=0)
    torch.testing.assert_close(scaled[:, varied].std(0), torch.ones(int(varied.sum())))
    assert torch.isfinite(scaled).all()


def test_the_scale_of_the_descriptors_is_saved_with_the_weights(batch):
    encoder = FusedEncoder(SMALL).eval()
    encoder.fit_inputs(batch)
    copy = FusedEncoder(SMALL).eval()
    copy.load_state_dict(encoder.state_dict())
    assert torch.equal(copy(batch), encoder(batch))


def test_a_descriptor_far_outside_the_training_range_is_held_at_its_edge(batch):
    encoder = FusedEncoder(SMALL).eval()
    encoder.fit_inputs(batch)
    arrays = batch.tensors()
    far = [
        MoleculeBatch(**arrays | {"descriptors": torch.full_like(batch.descriptors, value)})
        for value in (20_000, 30_000)
    ]
    assert torch.equal(encoder(far[0]), encoder(far[1]))


def test_dropout_acts_in_training_alone(batch):
    encoder = FusedEncoder(replace(SMALL, dropout=0.5, input_dropout=0.3, view_dropout=0.3))
    assert not torch.equal(encoder(batch), encoder(batch))
    encoder.eval()
    assert torch.equal(encoder(batch), encoder(batch))


def test_a_molecule_that_loses_its_views_is_carried_by_its_graph(batch):
    always = replace(SMALL, dropout=0.0, view_dropout=1 - 1e-9)
    encoder = FusedEncoder(always).train()
    expected = encoder(batch)
    assert torch.equal(encoder(changed(batch, "ecfp")), expected)
    assert torch.equal(encoder(changed(batch, "descriptors")), expected)
    assert not torch.equal(encoder(changed(batch, "graph")), expected)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"graph": False, "ecfp": False, "descriptors": False}, "at least one of graph"),
        ({"hidden": 0}, "encoder.hidden must be at least 1, not 0"),
        ({"graph_layers": -1}, "encoder.graph_layers must be at least 1, not -1"),
        ({"ecfp_bits": 1000}, "a power of two, not 1000"),
        ({"dropout": 1.0}, r"encoder.dropout must be at least 0 and below 1, not 1.0"),
        ({"view_dropout": -0.1}, r"encoder.view_dropout must be at least 0 and below 1, not -0.1"),
    ],
)
def test_an_encoder_that_cannot_be_built_is_refused(settings, found):
    with pytest.raises(ConfigError, match=found):
        EncoderConfig(**settings)


def test_encoding_makes_no_module(batch: MoleculeBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows a module's parameters from outside, as higher does, cannot follow a new one."""
    encoder = FusedEncoder(SMALL)

    def refuse(*_: object) -> None:
        raise AssertionError("a module was made")

    monkeypatch.setattr(torch.nn.Module, "__init__", refuse)
    assert encoder(batch).shape == (len(batch), SMALL.dim)
    with torch.no_grad():
        assert encoder.eval()(batch).shape == (len(batch), SMALL.dim)
