"""MoleculeBatch against hand numbers and torch_geometric."""

import pytest
import torch
from torch_geometric.data import Batch, Data

from molmeta.chem.batch import MoleculeBatch, concatenate
from molmeta.chem.features import featurize
from molmeta.chem.intake import read_smiles


@pytest.fixture(scope="module")
def three() -> MoleculeBatch:
    """Methane, ethanol and cyclopropane: 1, 3 and 3 atoms; 0, 2 and 3 bonds."""
    return featurize([read_smiles(text) for text in ("C", "CCO", "C1CC1")])


def same(left: MoleculeBatch, right: MoleculeBatch) -> bool:
    pairs = zip(left.tensors().values(), right.tensors().values(), strict=True)
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


def test_molecules_lie_one_after_the_other(three):
    assert len(three) == 3
    assert three.atom_offsets.tolist() == [0, 1, 4, 7]
    assert three.bond_offsets.tolist() == [0, 0, 2, 5]
    # The middle of ethanol is the last atom in its canonical order.
    assert three.bonds.tolist() == [[0, 2], [1, 2], [0, 1], [0, 2], [1, 2]]
    assert three.molecule_of_atom().tolist() == [0, 1, 1, 1, 2, 2, 2]
    assert three.device == torch.device("cpu")


def test_edges_count_atoms_over_the_batch_and_run_both_ways(three):
    assert three.edge_index().tolist() == [
        [1, 2, 4, 4, 5, 3, 3, 5, 6, 6],
        [3, 3, 5, 6, 6, 1, 2, 4, 4, 5],
    ]


def test_gather_takes_molecules_in_any_order_and_more_than_once(three):
    picked = three.gather(torch.tensor([2, 0, 2]))
    assert picked.atom_offsets.tolist() == [0, 3, 4, 7]
    assert picked.bond_offsets.tolist() == [0, 3, 3, 6]
    assert picked.bonds.tolist() == [[0, 1], [0, 2], [1, 2]] * 2
    assert picked.keys.tolist() == three.keys[[2, 0, 2]].tolist()
    assert same(picked, featurize([read_smiles(text) for text in ("C1CC1", "C", "C1CC1")]))


def test_gather_of_none_is_a_batch_of_none(three):
    none = three.gather(torch.arange(0))
    assert len(none) == 0
    assert none.atom_offsets.tolist() == [0]
    assert none.edge_index().shape == (2, 0)
    assert same(none, featurize([]))


def test_gathering_a_shuffle_and_its_inverse_gives_the_batch_back(batch):
    order = torch.randperm(len(batch))
    assert same(batch.gather(order).gather(order.argsort()), batch)


def test_parts_that_are_concatenated_give_the_whole(batch):
    sizes = [0, 1, 50, 0, len(batch) - 51]
    parts = [batch.gather(rows) for rows in torch.arange(len(batch)).split(sizes)]
    assert same(concatenate(parts), batch)


def test_a_molecule_has_the_same_arrays_alone_as_among_others(batch, molecules):
    for place in (0, 17, len(batch) - 1):
        assert same(batch.gather(torch.tensor([place])), featurize([molecules[place]]))


def test_each_molecule_is_there_once_where_it_came_first(batch):
    rows = torch.tensor([5, 3, 5, 9, 3, 3, 7])
    few, which = batch.gather(rows).distinct()
    assert same(few, batch.gather(torch.tensor([5, 3, 9, 7])))
    assert which.tolist() == [0, 1, 0, 2, 1, 1, 3]


def test_a_batch_of_different_molecules_and_one_of_none_stay_as_they_are(batch):
    for whole in (batch.gather(torch.arange(20)), batch.gather(torch.arange(0))):
        few, which = whole.distinct()
        assert same(few, whole)
        assert which.tolist() == list(range(len(whole)))


def test_all_arrays_have_the_promised_types(batch):
    types = {name: tensor.dtype for name, tensor in batch.tensors().items()}
    assert types == {
        "atom_offsets": torch.int64,
        "atoms": torch.uint8,
        "bond_offsets": torch.int64,
        "bonds": torch.int16,
        "bond_features": torch.uint8,
        "ecfp_offsets": torch.int64,
        "ecfp_ids": torch.int32,
        "ecfp_counts": torch.uint8,
        "motif_offsets": torch.int64,
        "motif_ids": torch.int16,
        "motif_counts": torch.uint8,
        "descriptors": torch.int16,
        "keys": torch.int64,
    }


def test_to_pyg_gives_the_batch_that_torch_geometric_collates(three):
    found = three.to_pyg()
    graphs = []
    for i, bonds in enumerate(([], [(0, 2), (1, 2)], [(0, 1), (0, 2), (1, 2)])):
        atoms = three.atoms[three.atom_offsets[i] : three.atom_offsets[i + 1]]
        both_ways = bonds + [(b, a) for a, b in bonds]
        edges = torch.tensor(both_ways, dtype=torch.int64).reshape(-1, 2).T
        # Every bond of the three is single and without stereo.
        kinds = torch.zeros(edges.shape[1], 2, dtype=torch.uint8)
        graphs.append(Data(x=atoms, edge_index=edges, edge_attr=kinds))
    expected = Batch.from_data_list(graphs)
    for name in ("x", "edge_index", "edge_attr", "batch", "ptr"):
        assert torch.equal(found[name], expected[name]), name
    assert torch.equal(found.edge_index, three.edge_index()[:, [0, 1, 5, 6, 2, 3, 4, 7, 8, 9]])
    assert torch.equal(found.key, three.keys)


def test_to_pyg_keeps_features_beside_their_bonds(batch):
    graph = batch.to_pyg()
    assert graph.num_graphs == len(batch)
    assert torch.equal(graph.batch, batch.molecule_of_atom())
    assert not graph.has_self_loops()
    ours = torch.cat([batch.edge_index(), batch.bond_features.repeat(2, 1).T.long()])
    theirs = torch.cat([graph.edge_index, graph.edge_attr.T.long()])
    assert torch.equal(ours.unique(dim=1), theirs.unique(dim=1))
