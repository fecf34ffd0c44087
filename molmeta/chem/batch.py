"""MoleculeBatch: the arrays of many molecules, the one type the rest of the house passes around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch_geometric.data import Batch


@dataclass(frozen=True, slots=True)
class MoleculeBatch:
    """`n` molecules as ragged arrays: rows `offsets[i]` to `offsets[i + 1]` belong to molecule i.

    The arrays of a molecule do not depend on the atom order of the text it came from.
    """

    atom_offsets: Tensor
    """[n + 1], int64."""
    atoms: Tensor
    """[n_atoms, 7], uint8: category of each column in `vocabulary.ATOM_COLUMNS`."""
    bond_offsets: Tensor
    """[n + 1], int64."""
    bonds: Tensor
    """[n_bonds, 2], int16: first and second atom, counted within the molecule; each bond once."""
    bond_features: Tensor
    """[n_bonds, 2], uint8: category of each column in `vocabulary.BOND_COLUMNS`."""
    ecfp_offsets: Tensor
    """[n + 1], int64."""
    ecfp_ids: Tensor
    """[n_features], int32: the 32 bits of each ECFP4 environment's hash, unfolded, ascending."""
    ecfp_counts: Tensor
    """[n_features], uint8: how often the environment occurs."""
    motif_offsets: Tensor
    """[n + 1], int64."""
    motif_ids: Tensor
    """[n_motifs], int16: which motif, see `motifs`, ascending within a molecule."""
    motif_counts: Tensor
    """[n_motifs], uint8: how often it occurs."""
    descriptors: Tensor
    """[n, 42], int16: molecular quantum numbers."""
    keys: Tensor
    """[n], int64: identity of each molecule, see `identity`."""

    def __len__(self) -> int:
        return self.keys.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the arrays lie."""
        return self.keys.device

    def tensors(self) -> dict[str, Tensor]:
        """The arrays by field name, for a file or a hash."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def to(self, device: torch.device | str) -> MoleculeBatch:
        """The same molecules on another device."""
        return MoleculeBatch(**{name: t.to(device) for name, t in self.tensors().items()})

    def gather(self, index: Tensor) -> MoleculeBatch:
        """The molecules at `index` [k], in that order; an index may occur more than once."""
        atom_offsets, atom_rows = _gather_ragged(self.atom_offsets, index)
        bond_offsets, bond_rows = _gather_ragged(self.bond_offsets, index)
        ecfp_offsets, ecfp_rows = _gather_ragged(self.ecfp_offsets, index)
        motif_offsets, motif_rows = _gather_ragged(self.motif_offsets, index)
        return MoleculeBatch(
            atom_offsets=atom_offsets,
            atoms=self.atoms[atom_rows],
            bond_offsets=bond_offsets,
            bonds=self.bonds[bond_rows],
            bond_features=self.bond_features[bond_rows],
            ecfp_offsets=ecfp_offsets,
            ecfp_ids=self.ecfp_ids[ecfp_rows],
            ecfp_counts=self.ecfp_counts[ecfp_rows],
            motif_offsets=motif_offsets,
            motif_ids=self.motif_ids[motif_rows],
            motif_counts=self.motif_counts[motif_rows],
            descriptors=self.descriptors[index],
            keys=self.keys[index],
        )

    def distinct(self) -> tuple[MoleculeBatch, Tensor]:
        """The k different molecules, each where it comes first, and which of them each is: [n]."""
        _, which = torch.unique(self.keys, return_inverse=True)
        everyone = torch.arange(len(self), device=self.device)
        first = everyone.new_full((len(self),), len(self)).scatter_reduce(
            0, which, everyone, "amin"
        )[which]
        is_first = first == everyone
        if is_first.all():
            return self, everyone
        return self.gather(is_first.nonzero()[:, 0]), (is_first.cumsum(0) - 1)[first]

    def edge_index(self) -> Tensor:
        """Both directions of every bond between atoms counted over the whole batch: [2, 2 n_bonds].

        The first half of the columns runs along `bonds`, the second half against them.
        """
        n_bonds = self.bond_offsets.diff()
        bonds = self.bonds.long() + self.atom_offsets[:-1].repeat_interleave(n_bonds)[:, None]
        return torch.cat([bonds, bonds.flip(1)]).T

    def molecule_of_atom(self) -> Tensor:
        """Which molecule each atom belongs to: [n_atoms], ascending."""
        return torch.arange(len(self), device=self.device).repeat_interleave(
            self.atom_offsets.diff()
        )

    def to_pyg(self) -> Batch:
        """The graphs as one `torch_geometric.data.Batch` with `x`, `edge_index`, `edge_attr`."""
        from torch_geometric.data import Batch, Data

        graphs = []
        for i in range(len(self)):
            one = self.gather(torch.tensor([i], device=self.device))
            graphs.append(
                Data(
                    x=one.atoms,
                    edge_index=one.edge_index(),
                    edge_attr=one.bond_features.repeat(2, 1),
                    key=one.keys,
                )
            )
        return Batch.from_data_list(graphs)


def concatenate(batches: Sequence[MoleculeBatch]) -> MoleculeBatch:
    """All molecules of all `batches` (at least one), in order."""
    columns = {
        field.name: [getattr(batch, field.name) for batch in batches]
        for field in fields(MoleculeBatch)
    }
    joined = {
        name: _join_offsets(parts) if name.endswith("offsets") else torch.cat(parts)
        for name, parts in columns.items()
    }
    return MoleculeBatch(**joined)


def _gather_ragged(offsets: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """New offsets [k + 1] and the old rows they hold, for the molecules at `index` [k]."""
    starts = offsets[index]
    lengths = offsets[index + 1] - starts
    new = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    rows = torch.arange(int(new[-1]), device=offsets.device)
    return new, rows + (starts - new[:-1]).repeat_interleave(lengths)


def _join_offsets(parts: Sequence[Tensor]) -> Tensor:
    lengths = torch.cat([part.diff() for part in parts])
    return torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
