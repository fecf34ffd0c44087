"""The graph network: GINE layers over atoms, then a gated readout of each molecule."""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.vocabulary import ATOM_COLUMNS, BOND_COLUMNS

Backend = Literal["pyg", "torch"]
"""Who passes the messages. `pyg`: torch_geometric's GINEConv, for training. `torch`: the same
layer in three lines of torch, for prediction, because importing torch_geometric costs more time
than everything else in a cold prediction together. Same parameters, same numbers (tested)."""

N_BOND_KINDS: Final = BOND_COLUMNS["order"] * BOND_COLUMNS["stereo"]


class GINEConv(nn.Module):
    """h_i' = MLP((1 + ε) h_i + Σ_j relu(h_j + e_ij)) (Hu et al. 2020, "GINE"), in plain torch.

    Its parameters carry the names of torch_geometric.nn.GINEConv's, so that weights fit both.
    """

    def __init__(self, nn: nn.Module, train_eps: bool = True) -> None:
        super().__init__()
        self.nn = nn
        self.eps = torch.nn.Parameter(torch.zeros(1), requires_grad=train_eps)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        """New atom states [n_atoms, width] from the old ones and edge states [n_edges, width]."""
        # In place, because the states of all edges are the largest arrays of the whole encoder.
        messages = x.index_select(0, edge_index[0]).add_(edge_attr).relu_()
        states: Tensor = self.nn(((1 + self.eps) * x).index_add(0, edge_index[1], messages))
        return states


class GraphNetwork(nn.Module):
    """MoleculeBatch to [n, 2 * width]: gated mean and gated sum of the atoms' last states.

    Layers are residual with LayerNorm in front: batch statistics would let the molecules of a
    query inform each other.
    """

    def __init__(self, width: int, layers: int, backend: Backend) -> None:
        super().__init__()
        self.atom_embeddings = nn.ModuleList(
            nn.Embedding(size, width) for size in ATOM_COLUMNS.values()
        )
        self.bond_embeddings = nn.ModuleList(
            nn.Embedding(N_BOND_KINDS, width) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.convs = nn.ModuleList(_conv(width, backend) for _ in range(layers))
        self.last_norm = nn.LayerNorm(width)
        self.gate = nn.Linear(width, width)
        self.value = nn.Linear(width, width)

    def forward(self, molecules: MoleculeBatch) -> Tensor:
        """One vector a molecule: [n, 2 * width]."""
        atoms = molecules.atoms.long()
        h = torch.stack([e(atoms[:, i]) for i, e in enumerate(self.atom_embeddings)]).sum(0)
        kinds = bond_kinds(molecules).repeat(2)
        edges = molecules.edge_index()
        for norm, conv, bonds in zip(self.norms, self.convs, self.bond_embeddings, strict=True):
            h = h + conv(norm(h), edges, bonds(kinds))
        return self._read_out(self.last_norm(h), molecules)

    def _read_out(self, h: Tensor, molecules: MoleculeBatch) -> Tensor:
        weights = torch.sigmoid(self.gate(h))
        place = molecules.molecule_of_atom()
        empty = h.new_zeros(len(molecules), h.shape[1])
        total = empty.index_add(0, place, weights * self.value(h))
        return mean_and_sum(total, empty.index_add(0, place, weights))


def bond_kinds(molecules: MoleculeBatch) -> Tensor:
    """Order and stereo of each bond in one number below N_BOND_KINDS: [n_bonds], int64."""
    order, stereo = molecules.bond_features.long().unbind(1)
    return order * BOND_COLUMNS["stereo"] + stereo


def mean_and_sum(total: Tensor, weights: Tensor) -> Tensor:
    """Readout [n, 2 * width] of molecules by their gated sums and the sums of the gates."""
    # A molecule of 25 atoms, the usual size, has a sum of the mean's scale.
    return torch.cat([total / (weights + 1e-6), total / 25.0], dim=1)


def _conv(width: int, backend: Backend) -> nn.Module:
    mlp = nn.Sequential(nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, width))
    if backend == "pyg":
        from torch_geometric.nn import GINEConv as PygGINEConv

        layer: nn.Module = PygGINEConv(mlp, train_eps=True)
        return layer
    return GINEConv(mlp)
