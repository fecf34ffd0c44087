"""CompoundMemory: what the meta-train assays said of compounds that turn up again.

A learned embedding generalises; it does not remember. Half of a typical public assay was measured
elsewhere before, and two compounds that the same assays called active are alike for a reason that
no structure shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from molmeta.assays.grades import grades, heights
from molmeta.assays.store import AssayStore
from molmeta.assays.task import Task
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.keys import KeySet
from molmeta.errors import InputError
from molmeta.learners.records import Records

_STORED = {
    "keys": (torch.int64, 1),
    "offsets": (torch.int64, 1),
    "assays": (torch.int32, 1),
    "grades": (torch.float16, 1),
    "heights": (torch.float16, 1),
}


# Without slots, which leave a cached property no place.
@dataclass(frozen=True)
class CompoundMemory:
    """What meta-train assays said of each compound, found by its identity key; on the CPU."""

    keys: Tensor
    """[n_known], int64, ascending: identity keys."""
    offsets: Tensor
    """[n_known + 1], int64: entries offsets[i] to offsets[i + 1] belong to compound i."""
    assays: Tensor
    """[n_entries], int32: which assay."""
    grades: Tensor
    """[n_entries], float16: how active the compound was there, by rank (see `grades`)."""
    heights: Tensor
    """[n_entries], float16: the same by distance (see `heights`)."""

    @classmethod
    def of(cls, store: AssayStore) -> CompoundMemory:
        """The memory of every labelled molecule of `store`.

        A compound measured twice in an assay has the mean there.
        """
        rows = torch.cat([task.molecules for task in store])
        assays = torch.cat([torch.full((len(task),), i) for i, task in enumerate(store)])
        keys, compounds = torch.unique(store.molecules.keys.cpu()[rows], return_inverse=True)
        cells, cell = torch.unique(compounds * len(store) + assays, return_inverse=True)
        counts = torch.bincount(cells // len(store), minlength=len(keys))

        def mean(activity: Callable[[Task], Tensor]) -> Tensor:
            rows = torch.cat([activity(task) for task in store])
            total = torch.zeros(len(cells), dtype=torch.float64).index_add(0, cell, rows)
            return (total / torch.bincount(cell)).half()

        return cls(
            keys=keys,
            offsets=torch.cat([counts.new_zeros(1), counts.cumsum(0)]),
            assays=(cells % len(store)).int(),
            grades=mean(grades),
            heights=mean(heights),
        )

    def without(self, assay: int) -> CompoundMemory:
        """What the other assays said; compounds that none of those measured are not known."""
        kept = self.assays != assay
        ends = nn.functional.pad(kept.long().cumsum(0), (1, 0))[self.offsets]
        known = ends.diff() > 0
        return CompoundMemory(
            keys=self.keys[known],
            offsets=nn.functional.pad(ends[1:][known], (1, 0)),
            assays=self.assays[kept],
            grades=self.grades[kept],
            heights=self.heights[kept],
        )

    @cached_property
    def of_values(self) -> CompoundMemory:
        """The same memory with heights in place of grades, for those who predict values."""
        view = replace(self, grades=self.heights)
        # Keys are large, and need one table.
        vars(view)["known"] = self.known
        return view

    @cached_property
    def known(self) -> KeySet:
        """The compounds, ready to be looked up."""
        return KeySet(self.keys)

    def knows(self, molecules: MoleculeBatch) -> Tensor:
        """Whether each molecule is known: [n], bool."""
        return self.known.contains(molecules.keys.cpu()).to(molecules.device)

    def n_assays(self, molecules: MoleculeBatch) -> Tensor:
        """How many assays measured each molecule, 0 where it is not known: [n], double."""
        records = self._records(molecules)
        return records.spread(records.counts.double()).to(molecules.device)

    def together(self, molecules: MoleculeBatch) -> float:
        """Share of the pairs of molecules that one assay at least measured both of: 0..1."""
        records = self._records(molecules)
        assays, places = records.columns
        measured = torch.zeros(len(records.known), len(assays))
        measured[records.owners, places] = 1
        both = measured @ measured.T > 0
        n_pairs = max(records.n * (records.n - 1), 1)
        return float(both.sum() - both.diagonal().sum()) / n_pairs

    def assays_of(self, molecules: MoleculeBatch) -> Tensor:
        """The assays that know one of the molecules at least: [k], int64, ascending."""
        return self._records(molecules).columns[0]

    def profiles(self, molecules: MoleculeBatch, assays: Tensor) -> Tensor:
        """Grades in `assays` [k], ascending, 0 where there is none: [n, k], on the CPU."""
        records = self._records(molecules)
        return records.spread(records.matrix(records.grades, assays))

    def weighted(
        self, molecules: MoleculeBatch, assays: Tensor, votes: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What those of `assays` [k], ascending, that know a molecule say.

        Args:
            molecules: [n].
            assays: to ask.
            votes: [k], by which their grades count; below 0 for an assay that is upside down.
            weights: [k], that they have at all.

        Returns:
            Sum of vote times grade, and sum of weights: [n] each, on the CPU.
        """
        records = self._records(molecules)
        entries, places = records.among(assays)
        nothing = torch.zeros_like(records.grades)
        cast = nothing.index_copy(0, entries, votes[places])
        shares = nothing.index_copy(0, entries, weights[places])
        total = records.sums(cast * records.grades)
        return records.spread(total), records.spread(records.sums(shares))

    def kernel(self, left: MoleculeBatch, right: MoleculeBatch) -> Tensor:
        """Covariance of the profiles, C_ij / √((n_i + 4)(n_j + 4)): [len(left), len(right)].

        C is the dot product, over the assays that measured both, of the grades minus the
        compound's own mean; n counts a compound's assays, and the fours shrink compounds with few.
        An assay's grades are one draw of how compounds vary together, so this is what a Gaussian
        process over a new assay would expect. A compound that is not known is like none. Positive
        semi-definite.
        """
        # The left is a support, whose few assays make a matrix; the right may be a library.
        support, others = self._records(left), self._records(right)
        profiles, assays = support.profiles
        entries, places = others.among(assays)
        counts = torch.bincount(others.owners[entries], minlength=len(others.known))
        covariance = nn.functional.embedding_bag(
            places,
            support.spread(profiles).T.contiguous(),
            counts.cumsum(0) - counts,
            mode="sum",
            per_sample_weights=others.scaled[entries],
        )
        return others.spread(covariance).T.to(left.device)

    def own(self, molecules: MoleculeBatch) -> Tensor:
        """The kernel between each molecule and itself, 0 where it is not known: [n]."""
        records = self._records(molecules)
        return records.spread(records.sums(records.scaled.square())).to(molecules.device)

    def mean(self, molecules: MoleculeBatch) -> Tensor:
        """Sum of each molecule's grades / (its assays + 1): [n]; above 0 for frequent hitters."""
        records = self._records(molecules)
        return records.spread(records.means).to(molecules.device)

    def _records(self, molecules: MoleculeBatch) -> Records:
        """What is known of the molecules, looked up once for as long as somebody holds them."""
        if molecules.keys not in self._looked_up:
            self._looked_up[molecules.keys] = self._look_up(molecules.keys.cpu())
        records: Records = self._looked_up[molecules.keys]
        return records

    @cached_property
    def _looked_up(self) -> WeakTensorKeyDictionary:
        return WeakTensorKeyDictionary()

    def _look_up(self, keys: Tensor) -> Records:
        known, places = self.known.find(keys)
        starts = self.offsets[places]
        counts = self.offsets[places + 1] - starts
        owners = torch.arange(len(known)).repeat_interleave(counts)
        firsts = counts.cumsum(0) - counts
        entries = torch.arange(len(owners)) + (starts - firsts)[owners]
        assays, grades = self.assays[entries].long(), self.grades[entries].double()
        return Records(len(keys), known, owners, assays, grades)

    def __reduce__(self) -> tuple[type[CompoundMemory], tuple[Tensor, ...]]:
        """Pickle what is stored: the rest is made again."""
        arrays = (self.keys, self.offsets, self.assays, self.grades, self.heights)
        return CompoundMemory, arrays


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
        and len(memory.grades) == len(memory.heights) == n_entries
        and bool((memory.keys[1:] > memory.keys[:-1]).all())
        and bool((offsets[1:] >= offsets[:-1]).all())
        and (int(offsets[0]), int(offsets[-1])) == (0, n_entries)
        and bool((memory.assays >= 0).all())
    )
    if not fits:
        raise InputError("the parts of its compound memory do not fit together.")
    return memory
