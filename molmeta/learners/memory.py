"""CompoundMemory: what the meta-train assays said of compounds that turn up again.

A learned embedding generalises; it does not remember. Half of a typical public assay was measured
elsewhere before, and two compounds that the same assays called active are alike for a reason that
no structure shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from molmeta.assays.store import AssayStore
from molmeta.chem.batch import MoleculeBatch
from molmeta.errors import InputError

_STORED = {
    "keys": (torch.int64, 1),
    "offsets": (torch.int64, 1),
    "assays": (torch.int16, 1),
    "values": (torch.float16, 1),
}


@dataclass(frozen=True, slots=True)
class CompoundMemory:
    """The meta-train labels of each compound, found by its identity key; on the CPU."""

    keys: Tensor
    """[n_known], int64, ascending: identity keys."""
    offsets: Tensor
    """[n_known + 1], int64: entries offsets[i] to offsets[i + 1] belong to compound i."""
    assays: Tensor
    """[n_entries], int16: which assay."""
    values: Tensor
    """[n_entries], float16: the label (0 or 1) minus the share of actives in that assay."""

    @classmethod
    def of(cls, store: AssayStore) -> CompoundMemory:
        """The memory of every labelled molecule of `store`."""
        rows = torch.cat([task.molecules for task in store])
        assays = torch.cat([torch.full((len(task),), i) for i, task in enumerate(store)])
        values = torch.cat([task.labels - task.labels.mean() for task in store])
        entry_keys = store.molecules.keys.cpu()[rows]
        order = torch.argsort(entry_keys, stable=True)
        keys, counts = torch.unique(entry_keys, return_counts=True)
        return cls(
            keys=keys,
            offsets=torch.cat([counts.new_zeros(1), counts.cumsum(0)]),
            assays=assays[order].short(),
            values=values[order].half(),
        )

    def knows(self, molecules: MoleculeBatch) -> Tensor:
        """Whether each molecule is known: [n], bool."""
        _, found = self._find(molecules)
        return found.to(molecules.device)

    def kernel(self, left: MoleculeBatch, right: MoleculeBatch) -> Tensor:
        """Agreement of the profiles, C_ij / √((C_ii + 1)(C_jj + 1)): [len(left), len(right)].

        C is the dot product over the assays that measured both; the ones shrink pairs with few
        assays, and a compound that is not known is like none. Positive semi-definite.
        """
        left_entries, right_entries = self._entries(left), self._entries(right)
        known, columns = torch.unique(left_entries[1], return_inverse=True)
        left_matrix = torch.zeros(len(left), len(known), dtype=torch.float64)
        left_matrix.index_put_((left_entries[0], columns), left_entries[2], accumulate=True)
        rows, assays, values = right_entries
        place = torch.searchsorted(known, assays).clamp(max=max(len(known) - 1, 0))
        shared = known[place] == assays if len(known) else torch.zeros_like(assays).bool()
        right_matrix = torch.zeros(len(right), len(known), dtype=torch.float64)
        right_matrix.index_put_((rows[shared], place[shared]), values[shared], accumulate=True)
        scale = torch.outer(
            1 + _norms(left_entries, len(left)), 1 + _norms(right_entries, len(right))
        )
        return (left_matrix @ right_matrix.T / scale.sqrt()).to(left.device)

    def own(self, molecules: MoleculeBatch) -> Tensor:
        """The kernel between each molecule and itself, 0 where it is not known: [n]."""
        norms = _norms(self._entries(molecules), len(molecules))
        return (norms / (norms + 1)).to(molecules.device)

    def mean(self, molecules: MoleculeBatch) -> Tensor:
        """Sum of each molecule's values / (its assays + 1): [n]; above 0 for frequent hitters."""
        rows, _, values = self._entries(molecules)
        n = len(molecules)
        total = torch.zeros(n, dtype=torch.float64).index_add(0, rows, values)
        return (total / (torch.bincount(rows, minlength=n) + 1)).to(molecules.device)

    def _find(self, molecules: MoleculeBatch) -> tuple[Tensor, Tensor]:
        """Place of each molecule among the keys, and whether it really is there; [n] each."""
        wanted = molecules.keys.cpu()
        place = torch.searchsorted(self.keys, wanted).clamp(max=len(self.keys) - 1)
        return place, self.keys[place] == wanted

    def _entries(self, molecules: MoleculeBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Of all entries of `molecules`: the molecule's place, the assay, the value; [k] each."""
        place, found = self._find(molecules)
        counts = torch.where(found, self.offsets[place + 1] - self.offsets[place], 0)
        rows = torch.arange(len(molecules)).repeat_interleave(counts)
        firsts = (counts.cumsum(0) - counts).repeat_interleave(counts)
        entries = self.offsets[place].repeat_interleave(counts) + torch.arange(len(rows)) - firsts
        return rows, self.assays[entries].long(), self.values[entries].double()


def memory_from_arrays(arrays: Mapping[str, Tensor]) -> CompoundMemory:
    """The memory in `arrays`, by field name, as a file of unknown origin gives them.

    Raises:
        InputError: they do not fit together; used as they are, they would point anywhere.
    """
    if {name: (t.dtype, t.ndim) for name, t in arrays.items()} != _STORED:
        raise InputError("its compound memory is not made as this molmeta makes it.")
    memory = CompoundMemory(**arrays)
    offsets, n_entries = memory.offsets, len(memory.assays)
    fits = (
        len(memory.keys) > 0
        and len(offsets) == len(memory.keys) + 1
        and len(memory.values) == n_entries
        and bool((memory.keys[1:] > memory.keys[:-1]).all())
        and bool((offsets[1:] >= offsets[:-1]).all())
        and (int(offsets[0]), int(offsets[-1])) == (0, n_entries)
        and bool((memory.assays >= 0).all())
    )
    if not fits:
        raise InputError("the parts of its compound memory do not fit together.")
    return memory


def _norms(entries: tuple[Tensor, Tensor, Tensor], n: int) -> Tensor:
    """Squared length of each profile; a compound measured twice in an assay has its sum there."""
    rows, assays, values = entries
    width = int(assays.max()) + 1 if len(assays) else 1
    cells, place = torch.unique(rows * width + assays, return_inverse=True)
    sums = torch.zeros(len(cells), dtype=torch.float64).index_add(0, place, values)
    return torch.zeros(n, dtype=torch.float64).index_add(0, cells // width, sums.square())
