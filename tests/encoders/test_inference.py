"""What is computed without a gradient against the same encoder with one."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.fused import FusedEncoder
from molmeta.encoders.graph import Backend, GraphNetwork
from molmeta.encoders.inference import fingerprint_states, graph_vectors

# So few bits that many environments share one.
SMALL = EncoderConfig(graph_layers=3, graph_width=12, ecfp_bits=32, hidden=24, dim=10)


def moved(module: nn.Module) -> None:
    """Change the weights, so that no ε, shift or scale stays at its start."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))


@torch.no_grad()
def in_inference(encoder: nn.Module, molecules: MoleculeBatch) -> Tensor:
    vectors: Tensor = encoder(molecules)
    return vectors


@pytest.mark.parametrize("backend", ["torch", "pyg"])
def test_vectors_are_those_of_the_encoder_with_a_gradient(
    batch: MoleculeBatch, backend: Backend
) -> None:
    encoder = FusedEncoder(SMALL, backend).eval()
    encoder.fit_inputs(batch)
    moved(encoder)
    expected = encoder(batch)
    assert expected.requires_grad
    found = in_inference(encoder, batch)
    torch.testing.assert_close(found, expected.detach(), atol=1e-5, rtol=1e-5)
    with torch.inference_mode():
        assert torch.equal(encoder(batch), found)


def test_a_graph_of_atoms_without_bonds_is_read() -> None:
    network = GraphNetwork(12, 2, "torch")
    read = [read_smiles(text) for text in ("C", "O", "CCO")]
    lonely = featurize([molecule for molecule in read if isinstance(molecule, Molecule)])
    with torch.no_grad():
        found = graph_vectors(network, lonely)
    torch.testing.assert_close(found, network(lonely).detach())
    alone = lonely.gather(torch.tensor([1]))
    with torch.no_grad():
        torch.testing.assert_close(graph_vectors(network, alone)[0], found[1])


def test_no_molecules_have_no_vectors() -> None:
    assert in_inference(FusedEncoder(SMALL).eval(), featurize([])).shape == (0, 10)


def test_a_molecule_has_the_same_vector_alone_as_among_others(batch: MoleculeBatch) -> None:
    encoder = FusedEncoder(SMALL).eval()
    together = in_inference(encoder, batch)
    for place in (0, 7, len(batch) - 1):
        alone = in_inference(encoder, batch.gather(torch.tensor([place])))
        torch.testing.assert_close(alone[0], together[place], atol=1e-6, rtol=1e-5)


def test_weights_that_change_are_seen_at_once(batch: MoleculeBatch) -> None:
    linear = nn.Linear(32, 4)
    with torch.no_grad():
        before = fingerprint_states(linear, batch)
    with torch.no_grad():
        linear.weight[:] *= 2
    with torch.no_grad():
        torch.testing.assert_close(
            fingerprint_states(linear, batch) - linear.bias, 2 * (before - linear.bias)
        )
    linear.weight.data = -linear.weight.data
    with torch.no_grad():
        torch.testing.assert_close(
            fingerprint_states(linear, batch) - linear.bias, -2 * (before - linear.bias)
        )


def test_an_encoder_made_in_inference_mode_computes_and_sees_its_weights_change(
    batch: MoleculeBatch,
) -> None:
    with torch.inference_mode():
        torch.manual_seed(0)
        made_there = FusedEncoder(SMALL).eval()
        first = made_there(batch)
        moved(made_there)
        second = made_there(batch)
    torch.manual_seed(0)
    encoder = FusedEncoder(SMALL).eval()
    assert torch.equal(in_inference(encoder, batch), first)
    moved(encoder)
    assert torch.equal(in_inference(encoder, batch), second)


def test_weights_of_a_task_take_the_place_of_the_encoders_own(batch: MoleculeBatch) -> None:
    encoder = FusedEncoder(SMALL).eval()
    others = {name: weight + 0.1 for name, weight in encoder.named_parameters()}
    expected = torch.func.functional_call(encoder, others, (batch,))
    with torch.no_grad():
        found = torch.func.functional_call(encoder, others, (batch,))
    torch.testing.assert_close(found, expected.detach(), atol=1e-5, rtol=1e-5)


def test_an_encoder_in_training_drops_inputs_without_a_gradient_too(batch: MoleculeBatch) -> None:
    dropping = replace(SMALL, graph=False, descriptors=False, input_dropout=0.9, dropout=0.0)
    encoder = FusedEncoder(dropping).train()
    first, second = in_inference(encoder, batch), in_inference(encoder, batch)
    assert not torch.equal(first, second)
