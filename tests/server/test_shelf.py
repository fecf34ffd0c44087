"""What is kept is bounded in number and time, and its names cannot be guessed."""

import pytest

from molmeta.server.shelf import KEPT, GoneError, Shelf


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_names_are_long_and_never_the_same() -> None:
    shelf: Shelf[int] = Shelf(1_000)
    names = {shelf.put(i) for i in range(1_000)}
    assert len(names) == 1_000
    assert min(map(len, names)) >= 22


def test_the_one_not_asked_for_the_longest_makes_room() -> None:
    dropped: list[str] = []
    shelf: Shelf[str] = Shelf(2, dropped.append)
    first, second = shelf.put("first"), shelf.put("second")
    assert shelf.get(first) == "first"
    third = shelf.put("third")
    assert dropped == ["second"]
    assert (shelf.get(first), shelf.get(third)) == ("first", "third")
    with pytest.raises(GoneError):
        shelf.get(second)


def test_an_hour_without_use_ends_it() -> None:
    clock = Clock()
    dropped: list[str] = []
    shelf: Shelf[str] = Shelf(9, dropped.append, clock)
    used, unused = shelf.put("used"), shelf.put("unused")
    clock.now = KEPT - 1
    shelf.get(used)
    clock.now = KEPT + 1
    assert shelf.get(used) == "used"
    assert dropped == ["unused"]
    with pytest.raises(GoneError, match="an hour"):
        shelf.get(unused)


def test_what_is_dropped_is_told_once() -> None:
    dropped: list[str] = []
    shelf: Shelf[str] = Shelf(9, dropped.append)
    name = shelf.put("a")
    shelf.put("b")
    shelf.drop(name)
    shelf.drop(name)
    assert dropped == ["a"]
    shelf.clear()
    assert dropped == ["a", "b"]
