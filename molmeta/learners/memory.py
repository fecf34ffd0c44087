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

from molmeta.assays.grades import grades
from molmeta.assays.store import AssayStore
from molmeta.chem.batch import MoleculeBatch
from molmeta.errors import InputError

_STORED = {
    "keys": (torch.int64, 1),
    "offsets": (torch.int64, 1),
    "assays": (torch.int32, 1),
    "values": (torch.float16, 1),
}
_SHRINKAGE = 4

_Entries = tuple[Tensor, Tensor, Tensor]
"""Of all entries of some molecules: the molecule's place, the assay, the value; [k] each."""


@dataclass(frozen=True, slots=True)
class CompoundMemory:
    """What meta-train assays said of each compound, found by its identity key; on the CPU."""

    keys: Tensor
    """[n_known], int64, ascending: identity keys."""
    offsets: Tensor
    """[n_known + 1], int64: entries offsets[i] to offsets[i + 1] belong to compound i."""
    assays: Tensor
    """[n_entries], int32: which assay."""
    values: Tensor
    """[n_entries], float16: how active the compound was there, -1 to 1 (see `grades`)."""

    @classmethod
    def of(cls, store: AssayStore) -> CompoundMemory:
        """The memory of every labelled molecule of `store`.

        A compound measured twice in an assay has the mean there.
        """
        rows = torch.cat([task.molecules for task in store])
        assays = torch.cat([torch.full((len(task),), i) for i, task in enumerate(store)])
        keys, compounds = torch.unique(store.molecules.keys.cpu()[rows], return_inverse=True)
        cells, cell = torch.unique(compounds * len(store) + assays, return_inverse=True)
        values = torch.cat([grades(task) for task in store])
        total = torch.zeros(len(cells), dtype=torch.float64).index_add(0, cell, values)
        counts = torch.bincount(cells // len(store), minlength=len(keys))
        return cls(
            keys=keys,
            offsets=torch.cat([counts.new_zeros(1), counts.cumsum(0)]),
            assays=(cells % len(store)).int(),
            values=(total / torch.bincount(cell)).half(),
        )

    def knows(self, molecules: MoleculeBatch) -> Tensor:
        """Whether each molecule is known: [n], bool."""
        _, found = self._find(molecules)
        return found.to(molecules.device)

    def assays_of(self, molecules: MoleculeBatch) -> Tensor:
        """The assays that know one of the molecules at least: [k], int64, ascending."""
        assays: Tensor = torch.unique(self._entries(molecules)[1])
        return assays

    def profiles(self, molecules: MoleculeBatch, assays: Tensor) -> tuple[Tensor, Tensor]:
        """Grades in `assays` [k], ascending, and whether there is one: [n, k] each, on the CPU."""
        return _matrix(self._entries(molecules), assays, len(molecules))

    def kernel(self, left: MoleculeBatch, right: MoleculeBatch) -> Tensor:
        """Covariance of the profiles, C_ij / √((n_i + 4)(n_j + 4)): [len(left), len(right)].

        C is the dot product, over the assays that measured both, of the grades minus the
        compound's own mean; n counts a compound's assays, and the fours shrink compounds with few.
        An assay's grades are one draw of how compounds vary together, so this is what a Gaussian
        process over a new assay would expect. A compound that is not known is like none. Positive
        semi-definite.
        """
        left_entries, right_entries = self._deviations(left), self._deviations(right)
        assays = torch.unique(left_entries[1])
        left_matrix, _ = _matrix(left_entries, assays, len(left))
        right_matrix, _ = _matrix(right_entries, assays, len(right))
        scale = torch.outer(_shrunk(left_entries, len(left)), _shrunk(right_entries, len(right)))
        return (left_matrix @ right_matrix.T / scale.sqrt()).to(left.device)

    def own(self, molecules: MoleculeBatch) -> Tensor:
        """The kernel between each molecule and itself, 0 where it is not known: [n]."""
        entries = rows, _, values = self._deviations(molecules)
        n = len(molecules)
        total = torch.zeros(n, dtype=torch.float64).index_add(0, rows, values.square())
        return (total / _shrunk(entries, n)).to(molecules.device)

    def mean(self, molecules: MoleculeBatch) -> Tensor:
        """Sum of each molecule's grades / (its assays + 1): [n]; above 0 for frequent hitters."""
        return _means(self._entries(molecules), len(molecules)).to(molecules.device)

    def _find(self, molecules: MoleculeBatch) -> tuple[Tensor, Tensor]:
        """Place of each molecule among the keys, and whether it really is there; [n] each."""
        wanted = molecules.keys.cpu()
        place = torch.searchsorted(self.keys, wanted).clamp(max=len(self.keys) - 1)
        return place, self.keys[place] == wanted

    def _entries(self, molecules: MoleculeBatch) -> _Entries:
        place, found = self._find(molecules)
        counts = torch.where(found, self.offsets[place + 1] - self.offsets[place], 0)
        rows = torch.arange(len(molecules)).repeat_interleave(counts)
        firsts = (counts.cumsum(0) - counts).repeat_interleave(counts)
        entries = self.offsets[place].repeat_interleave(counts) + torch.arange(len(rows)) - firsts
        return rows, self.assays[entries].long(), self.values[entries].double()

    def _deviations(self, molecules: MoleculeBatch) -> _Entries:
        """The entries, each grade minus the compound's own mean, which is in the prior mean."""
        rows, assays, values = entries = self._entries(molecules)
        return rows, assays, values - _means(entries, len(molecules))[rows]


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


def _matrix(entries: _Entries, assays: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Values of n molecules in `assays` [k], 0 where there is none, and where there is one."""
    rows, of_entry, values = entries
    matrix = torch.zeros(n, len(assays), dtype=torch.float64)
    measured = torch.zeros(n, len(assays), dtype=torch.bool)
    if len(assays):
        place = torch.searchsorted(assays, of_entry).clamp(max=len(assays) - 1)
        there = assays[place] == of_entry
        matrix[rows[there], place[there]] = values[there]
        measured[rows[there], place[there]] = True
    return matrix, measured


def _means(entries: _Entries, n: int) -> Tensor:
    """Sum of each compound's values / (its assays + 1): [n]."""
    rows, _, values = entries
    total = torch.zeros(n, dtype=torch.float64).index_add(0, rows, values)
    return total / (torch.bincount(rows, minlength=n) + 1)


def _shrunk(entries: _Entries, n: int) -> Tensor:
    """Number of each compound's assays plus the shrinkage: [n]."""
    return (torch.bincount(entries[0], minlength=n) + _SHRINKAGE).double()
