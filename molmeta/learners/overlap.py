"""Counts of many molecules, packed so that their overlap with a support is quick to sum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.composition import composition_distance
from molmeta.chem.counted import FIRST_MOTIF, FIRST_NUMBER, MOST, counted, levels
from molmeta.chem.similarity import tanimoto
from molmeta.learners.base import PairKernel
from molmeta.learners.weighted_tanimoto import WeightedTanimoto

_FEW_WORDS = 1 << 16


@dataclass(frozen=True, slots=True)
class PackedCounts:
    """What is `counted` in n molecules, in words of a vocabulary of their own.

    A word is an id together with how often it occurs in the molecule. 16,000 molecules share some
    50,000 words, so that two bytes name one, and Σ min(count, count') over ids is a sum over words.
    """

    ids: Tensor
    """[n_words], int64, ascending."""
    counts: Tensor
    """[n_words], uint8, ascending among equal ids."""
    offsets: Tensor
    """[n + 1], int32: words offsets[i] to offsets[i + 1] are those of molecule i."""
    words: Tensor
    """[offsets[n]], `word_dtype`: places in the vocabulary."""
    totals: Tensor
    """[n], int32: sum of the counts of a molecule's environments."""
    numbers: Tensor
    """[n], int32: the same of its quantum numbers."""
    weights: Tensor
    """[n], float32: what all of a molecule's features weigh; 0 without a weighted kernel."""

    @classmethod
    def of(cls, molecules: MoleculeBatch, kernel: WeightedTanimoto | None) -> PackedCounts:
        """The counts of `molecules`, exactly."""
        n = len(molecules)
        ids, counts, owners = counted(molecules)
        vocabulary, places = torch.unique(ids * (MOST + 1) + counts, return_inverse=True)
        word_ids, word_counts = vocabulary // (MOST + 1), vocabulary % (MOST + 1)
        weights = torch.zeros(n)
        if kernel is not None:
            of_word = cumulative(kernel, word_ids, word_counts)
            weights.index_add_(0, owners, of_word[places])
        ends = torch.bincount(owners, minlength=n).cumsum(0)
        return cls(
            ids=word_ids,
            counts=word_counts.to(torch.uint8),
            offsets=torch.cat([ends.new_zeros(1), ends]).int(),
            words=places.to(word_dtype(len(vocabulary))),
            totals=_sums(counts * (ids < FIRST_MOTIF), owners, n),
            numbers=_sums(counts * (ids >= FIRST_NUMBER), owners, n),
            weights=weights,
        )


def _sums(counts: Tensor, owners: Tensor, n: int) -> Tensor:
    """Of the counts [k] of each of n owners: [n], int32."""
    return torch.zeros(n, dtype=torch.int64).index_add(0, owners, counts).int()


def cumulative(kernel: WeightedTanimoto, ids: Tensor, counts: Tensor) -> Tensor:
    """What counts [k] of ids [k] weigh: [k], float32."""
    features, places = levels(ids, counts)
    total = torch.zeros(len(ids))
    return total.index_add(0, places, kernel.weights(features).float())


def word_dtype(n_words: int) -> torch.dtype:
    """The smaller of two that can name every word."""
    return torch.uint16 if n_words <= _FEW_WORDS else torch.int32


@dataclass(frozen=True, slots=True)
class SupportCounts:
    """The same of a support, as matrices: it has few ids."""

    ids: Tensor
    """[n_ids], int64, ascending."""
    counts: Tensor
    """[n_ids, n_support], int64."""
    totals: Tensor
    """[n_support], float32."""
    numbers: Tensor | None
    """[n_support], float32; None where distances in composition are not asked for."""
    kernel: WeightedTanimoto | None
    weights: Tensor | None
    """[n_ids, most + 1], float32: what each count of an id weighs; None without a kernel."""

    @classmethod
    def of(
        cls, support: MoleculeBatch, kernel: WeightedTanimoto | None, *, composition: bool = False
    ) -> SupportCounts:
        """The counts of `support` [n_support], and the kernel to compare them by.

        Args:
            support: in the order of the head.
            kernel: the learner's.
            composition: whether distances in composition are asked for, as for values.
        """
        all_ids, all_counts, owners = counted(support)
        ids, places = torch.unique(all_ids, return_inverse=True)
        counts = torch.zeros(len(ids), len(support), dtype=torch.int64)
        counts[places, owners] = all_counts
        weights = None
        if kernel is not None:
            most = int(counts.max())
            features, _ = levels(ids, torch.full_like(ids, most))
            steps = kernel.weights(features).float().view(len(ids), most)
            weights = nn.functional.pad(steps.cumsum(1), (1, 0))
        totals, numbers = (
            counts[rows].sum(0).float() for rows in (ids < FIRST_MOTIF, ids >= FIRST_NUMBER)
        )
        return cls(ids, counts, totals, numbers if composition else None, kernel, weights)


class Overlap:
    """Similarities between a support and packed molecules, any stretch of them at a time."""

    def __init__(self, support: SupportCounts, packed: PackedCounts) -> None:
        """Find the words that any support compound shares: some thousand searches."""
        self._support = support
        self._packed = packed
        starts = torch.searchsorted(packed.ids, support.ids)
        lengths = torch.searchsorted(packed.ids, support.ids, right=True) - starts
        owners = torch.arange(len(support.ids)).repeat_interleave(lengths)
        firsts = lengths.cumsum(0) - lengths
        shared = torch.arange(len(owners)) + (starts - firsts)[owners]
        minima = torch.minimum(packed.counts[shared].long()[:, None], support.counts[owners])
        ids = support.ids[owners, None]
        sums = [(minima * (ids < FIRST_MOTIF)).float()]
        of_support, of_packed = [support.totals], [packed.totals]
        if support.weights is not None:
            sums.append(support.weights[owners].gather(1, minima))
            of_support.append(support.weights.gather(1, support.counts).sum(0))
            of_packed.append(packed.weights)
        if support.numbers is not None:
            products = packed.counts[shared].float()[:, None] * support.counts[owners]
            sums.append(products.sqrt() * (ids >= FIRST_NUMBER))
            of_support.append(support.numbers)
            of_packed.append(packed.numbers)
        self._of_support = torch.stack(of_support)  # [1 to 3, n_support]: plain, weighted, numbers
        self._of_packed = torch.stack(of_packed, dim=1)[:, :, None]  # [n, 1 to 3, 1]
        # Row 0 is what all other words add: nothing.
        self._sums = nn.functional.pad(torch.cat(sums, dim=1), (0, 0, 1, 0))
        self._row_of_word = torch.zeros(len(packed.ids), dtype=torch.int32)
        self._row_of_word[shared] = torch.arange(1, len(shared) + 1, dtype=torch.int32)

    def similarities(self, start: int, end: int) -> dict[PairKernel, Tensor]:
        """Similarity with the molecules `start` to `end`, as `Embedded.given` takes it.

        Returns:
            What `tanimoto` says and, where there is one, the weighted kernel, and
            `composition_distance` where it is asked for: [n_support, end - start] each.
        """
        packed, support = self._packed, self._support
        offsets = packed.offsets[start : end + 1]
        words = packed.words[int(offsets[0]) : int(offsets[-1])].int()
        rows = self._row_of_word.index_select(0, words)
        sums = nn.functional.embedding_bag(rows, self._sums, offsets[:-1] - offsets[0], mode="sum")
        both = sums.view(-1, *self._of_support.shape)
        # In place, because these are the largest arrays of all, and the totals of the packed ones
        # first, because a sum of one number a row and one a column takes three times as long.
        either = (self._of_packed[start:end] - both).add_(self._of_support)
        similarities: dict[PairKernel, Tensor] = {}
        if support.numbers is not None:
            # (Σ c + Σ c' - Σ √cc') - Σ √cc' = Σ (√c - √c')²; rounding may leave less than 0.
            distance = (either[:, -1] - both[:, -1]).clamp_(min=0)
            similarities[composition_distance] = distance.T
        either[:, 0].clamp_(min=1.0)
        found = both.div_(either).unbind(1)
        similarities[tanimoto] = found[0].T
        if support.kernel is not None:
            similarities[support.kernel] = found[1].T
        return similarities
