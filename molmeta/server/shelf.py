"""What the server remembers: a bounded number of things under names that nobody can guess."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from threading import Lock
from typing import Final, Generic, TypeVar

from molmeta.errors import InputError

KEPT: Final = 3_600.0
"""Seconds since it was last asked for."""

Item = TypeVar("Item")


class GoneError(InputError):
    """There is nothing under this name, or no longer."""


class Shelf(Generic[Item]):
    """Things in memory, each of which leaves an hour after it was last asked for, or before.

    Args:
        room: for as many; the one not asked for the longest makes room for a new one.
        dropped: called with what leaves.
        clock: seconds.
    """

    def __init__(
        self,
        room: int,
        dropped: Callable[[Item], object] = lambda item: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._room = room
        self._dropped = dropped
        self._clock = clock
        self._items: dict[str, tuple[float, Item]] = {}
        """In the order in which they were last asked for."""
        self._lock = Lock()

    def put(self, item: Item) -> str:
        """Keep it; its name is 128 random bits."""
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._make_room()
            self._items[name] = (self._clock(), item)
        return name

    def get(self, name: str) -> Item:
        """The thing under this name.

        Raises:
            GoneError: there is none.
        """
        with self._lock:
            self._make_room(0)
            if name not in self._items:
                raise GoneError(
                    "This is no longer kept: tables and results are forgotten after an hour "
                    "without use, or when many others have come. Give the tables again."
                )
            _, item = self._items.pop(name)
            self._items[name] = (self._clock(), item)
        return item

    def drop(self, name: str) -> None:
        """Forget it, if it is there."""
        with self._lock:
            self._leave(name)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for name in list(self._items):
                self._leave(name)

    def _make_room(self, wanted: int = 1) -> None:
        """Let go of what has expired, and of the oldest until `wanted` more fit."""
        oldest = self._clock() - KEPT
        for name, (used, _) in list(self._items.items()):
            if used < oldest or len(self._items) + wanted > self._room:
                self._leave(name)

    def _leave(self, name: str) -> None:
        if name in self._items:
            self._dropped(self._items.pop(name)[1])
