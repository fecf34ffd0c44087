"""What may be tried for a setting; tuning reads it, and no optimiser is imported for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Float:
    """A number from `low` to `high`, both included."""

    low: float
    high: float
    log: bool = False
    """Whether each decade is as likely as another; then `low` is above 0."""


@dataclass(frozen=True, slots=True)
class Int:
    """A whole number from `low` to `high`, both included."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values."""

    options: tuple[str | bool, ...]


Range = Float | Int | Choice
