"""KeySet: which of many molecules are among some known ones, by their identity keys."""

import torch
from torch import Tensor

_PLACES_PER_KEY = 16


class KeySet:
    """Identity keys [m] in ascending order, with a sieve in front that holds most strangers back.

    Among 200,000 keys a binary search takes 100 ns and a look at the sieve 3 ns.
    """

    def __init__(self, ascending: Tensor) -> None:
        self.ascending = ascending
        # A power of two, because keys are hashes: their low bits are as good as any place.
        n_places = 1 << (_PLACES_PER_KEY * len(ascending)).bit_length()
        self._low_bits = n_places - 1
        self._sieve = torch.zeros(n_places, dtype=torch.bool, device=ascending.device)
        self._sieve[ascending & self._low_bits] = True

    def find(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of `keys` [n] that are in the set, ascending, and their places in it: [k] each."""
        rows = self._sieve.index_select(0, keys & self._low_bits).nonzero()[:, 0]
        wanted = keys[rows]
        places = torch.searchsorted(self.ascending, wanted).clamp(max=len(self.ascending) - 1)
        there = self.ascending[places] == wanted
        return rows[there], places[there]

    def contains(self, keys: Tensor) -> Tensor:
        """Whether each of `keys` [n] is in the set: [n], bool."""
        found = torch.zeros_like(keys, dtype=torch.bool)
        found[self.find(keys)[0]] = True
        return found
