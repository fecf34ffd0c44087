"""The graph network in plain torch against torch_geometric and against loops over molecules."""

import pytest
import torch
from torch import nn
from torch_geometric.nn import GINEConv as PygGINEConv

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import read_smiles
from molmeta.encoders.graph import GINEConv, GraphNetwork


def networks(width: int = 12, layers: int = 3) -> tuple[GraphNetwork, GraphNetwork]:
    """The same weights under both backends."""
    ours, theirs = GraphNetwork(width, layers, "torch"), GraphNetwork(width, layers, "pyg")
    # Away from their start, or a lost ε, shift or scale would not show.
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def test_a_layer_by_hand():
    layer = GINEConv(nn.Identity())
    with torch.no_grad():
        layer.eps.fill_(0.5)
    x = torch.tensor([[1.0, -2.0], [3.0, 4.0], [0.0, 1.0]])
    edges = torch.tensor([[0, 1], [1, 0]])  # the third atom stands alone
    kinds = torch.tensor([[0.0, 1.0], [-5.0, 1.0]])
    # To atom 1: relu([1, -2] + [0, 1]) = [1, 0]. To atom 0: relu([3, 4] + [-5, 1]) = [0, 5].
    expected = torch.tensor([[1.5, -3.0 + 5.0], [4.5 + 1.0, 6.0], [0.0, 1.5]])
    assert torch.equal(layer(x, edges, kinds), expected)


def test_a_layer_equals_torch_geometrics_in_values_and_gradients(batch):
    mlp = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    ours, theirs = GINEConv(mlp), PygGINEConv(mlp, train_eps=True)
    with torch.no_grad():
        ours.eps.fill_(0.3)
        theirs.eps.fill_(0.3)
    edges = batch.edge_index()
    inputs = [torch.randn(len(batch.atoms), 8), torch.randn(edges.shape[1], 8)]
    outputs = []
    for layer in (ours, theirs):
        x, kinds = (value.clone().requires_grad_() for value in inputs)
        h = layer(x, edges, kinds)
        outputs.append((h, *torch.autograd.grad(h.square().sum(), (x, kinds, layer.eps))))
    for ours_is, theirs_is in zip(*outputs, strict=True):
        torch.testing.assert_close(ours_is, theirs_is)


def test_both_backends_have_the_same_weights_under_the_same_names():
    ours, theirs = networks()
    shapes = [{name: p.shape for name, p in one.named_parameters()} for one in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_both_backends_give_the_same_values_and_gradients(batch):
    ours, theirs = networks()
    left, right = ours(batch), theirs(batch)
    assert left.shape == (len(batch), 24)
    torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-5)
    left.square().mean().backward()
    right.square().mean().backward()
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert a.grad is not None, name
        assert a.grad.abs().sum() > 0, name
        torch.testing.assert_close(a.grad, b.grad, atol=1e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("backend", ["torch", "pyg"])
def test_molecules_without_a_bond_are_read(backend):
    network = GraphNetwork(12, 2, backend)
    vectors = network(featurize([read_smiles("C"), read_smiles("O")]))
    assert torch.isfinite(vectors).all()
    assert not torch.equal(vectors[0], vectors[1])


def test_no_molecules_give_no_vectors():
    assert GraphNetwork(12, 2, "torch")(featurize([])).shape == (0, 24)


@pytest.mark.parametrize("backend", ["torch", "pyg"])
def test_a_molecule_alone_equals_itself_among_others(batch, backend):
    network = networks()[backend == "pyg"].eval()
    together = network(batch)
    for i in range(0, len(batch), 7):
        alone = network(batch.gather(torch.tensor([i])))[0]
        torch.testing.assert_close(alone, together[i], atol=1e-5, rtol=1e-5)


def test_the_order_of_atoms_and_bonds_does_not_matter():
    network = networks()[0]
    one = featurize([read_smiles("CC(=O)Nc1ccc(O)cc1")])
    n_atoms, n_bonds = len(one.atoms), len(one.bonds)
    atoms, bonds = torch.randperm(n_atoms), torch.randperm(n_bonds)
    arrays = one.tensors()
    arrays["atoms"] = one.atoms[atoms]
    arrays["bonds"] = atoms.argsort()[one.bonds[bonds].long()].flip(1).short()
    arrays["bond_features"] = one.bond_features[bonds]
    torch.testing.assert_close(network(MoleculeBatch(**arrays)), network(one))


def test_the_readout_is_a_gated_mean_and_sum_of_each_molecule(batch):
    network = networks()[0]
    seen = []
    network.last_norm.register_forward_hook(lambda _, __, out: seen.append(out))
    found = network(batch)
    for i, atoms in enumerate(seen[0].split(batch.atom_offsets.diff().tolist())):
        gates, values = torch.sigmoid(network.gate(atoms)), network.value(atoms)
        total = (gates * values).sum(0)
        expected = torch.cat([total / gates.sum(0), total / 25])
        torch.testing.assert_close(found[i], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"),
        ("F/C=C/F", "F/C=C\\F"),
        ("CCO", "CCN"),
        ("C1CCCCC1", "c1ccccc1"),
        ("c1ccncc1", "[O-][n+]1ccccc1"),
    ],
)
def test_what_the_features_tell_apart_reaches_the_vector(left, right):
    vectors = networks()[0](featurize([read_smiles(left), read_smiles(right)]))
    assert (vectors[0] - vectors[1]).abs().max() > 1e-4
