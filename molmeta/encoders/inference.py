"""The encoder where nobody asks for a gradient: the same vectors in half the time.

Most of what a batch holds occurs again and again: a few dozen kinds of atoms, a message for each
bond that its atom has of one kind, a few dozen of the fingerprint's bits. Each is computed once,
and `embedding_bag` adds them up where they belong without a copy of each; it has no second
derivative, which training with MAML needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.weak import WeakTensorKeyDictionary

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.vocabulary import ATOM_COLUMNS
from molmeta.encoders.graph import N_BOND_KINDS, GINEConv, GraphNetwork, bond_kinds, mean_and_sum


@dataclass(frozen=True, slots=True)
class _Messages:
    """Who sends what to whom along the bonds of a batch."""

    senders: Tensor
    """[m], int64: an atom, once for each kind of bond that it has."""
    kinds: Tensor
    """[m], int64: that kind."""
    received: Tensor
    """[2 n_bonds], int64: messages, those to the first atom first."""
    firsts: Tensor
    """[n_atoms], int64: the first message that each atom receives."""

    @classmethod
    def of(cls, molecules: MoleculeBatch, bond_kinds: Tensor) -> Self:
        """The messages along bonds of `bond_kinds` [n_bonds]."""
        senders, receivers = molecules.edge_index()
        receivers, order = receivers.sort(stable=True)
        codes = (senders * N_BOND_KINDS + bond_kinds.repeat(2))[order]
        different, received = torch.unique(codes, return_inverse=True)
        counts = torch.bincount(receivers, minlength=len(molecules.atoms))
        return cls(
            different // N_BOND_KINDS,
            different % N_BOND_KINDS,
            received,
            counts.cumsum(0) - counts,
        )


def graph_vectors(network: GraphNetwork, molecules: MoleculeBatch) -> Tensor:
    """What `network` makes of each molecule: [n, 2 * width]."""
    h = _atom_states(network, molecules)
    messages = _Messages.of(molecules, bond_kinds(molecules))
    # Of either backend; their layers have the same parts under the same names.
    convs = cast(Iterable[GINEConv], network.convs)
    for norm, conv, bonds in zip(network.norms, convs, network.bond_embeddings, strict=True):
        x = norm(h)
        sent = x.index_select(0, messages.senders).add_(bonds(messages.kinds)).relu_()
        total = F.embedding_bag(messages.received, sent, messages.firsts, mode="sum")
        h += conv.nn(total.addcmul_(x, 1 + conv.eps))
    return _read_out(network, network.last_norm(h), molecules)


def _atom_states(network: GraphNetwork, molecules: MoleculeBatch) -> Tensor:
    """The states before the first layer: [n_atoms, width]."""
    sizes = torch.tensor(list(ATOM_COLUMNS.values()), device=molecules.device)
    places = sizes.cumprod(0) // sizes
    codes, kinds = torch.unique((molecules.atoms * places).sum(1), return_inverse=True)
    columns = (codes[:, None] // places % sizes).unbind(1)
    parts = [e(column) for e, column in zip(network.atom_embeddings, columns, strict=True)]
    return torch.stack(parts).sum(0).index_select(0, kinds)


def _read_out(network: GraphNetwork, h: Tensor, molecules: MoleculeBatch) -> Tensor:
    weights = network.gate(h).sigmoid_()
    atoms = torch.arange(len(h), device=h.device)
    firsts = molecules.atom_offsets[:-1]
    total, weight = (
        F.embedding_bag(atoms, states, firsts, mode="sum")
        for states in (network.value(h).mul_(weights), weights)
    )
    return mean_and_sum(total, weight)


def fingerprint_states(linear: nn.Linear, molecules: MoleculeBatch) -> Tensor:
    """`linear` of the logarithms of the folded ECFP counts + 1: [n, hidden]."""
    n, n_bits = len(molecules), linear.in_features
    owners = torch.arange(n, device=molecules.device)
    rows = owners.repeat_interleave(molecules.ecfp_offsets.diff())
    cells = rows * n_bits + (molecules.ecfp_ids.long() & (n_bits - 1))
    different, places = torch.unique(cells, return_inverse=True)
    counts = torch.zeros(len(different), device=molecules.device)
    counts.index_add_(0, places, molecules.ecfp_counts.float())
    states = F.embedding_bag(
        different & (n_bits - 1),
        _columns(linear.weight),
        torch.searchsorted(different, owners * n_bits),
        mode="sum",
        per_sample_weights=counts.log1p_(),
    )
    return states.add_(linear.bias)


def _columns(weight: Tensor) -> Tensor:
    """The columns of `weight`, each in one piece; kept until it changes."""
    if weight.is_inference():  # made where torch does not count changes
        return weight.T.contiguous()
    state = (weight._version, weight.data_ptr())
    if weight not in _KEPT or _KEPT[weight][0] != state:
        _KEPT[weight] = state, weight.detach().T.contiguous()
    columns: Tensor = _KEPT[weight][1]
    return columns


_KEPT = WeakTensorKeyDictionary()
