"""Timing that a busy machine bears: CPU time, and rivals in turn in the same run."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

_CHILD = Path(__file__).with_name("speed_child.py")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement beside its rival's, from the same run."""

    job: str
    own: float
    """NaN where it is measured only beside the rival, which is absent."""
    unit: str
    rival: str
    """A program, another way, or a limit."""
    other: float | None
    """The rival's figure; None where it is not installed."""
    goal: float | None = None
    """Highest `own / other` that was asked for; None where nothing was."""
    guard: float | None = None
    """Highest `own / other` that --quick accepts: far above what is measured."""

    @property
    def ratio(self) -> float | None:
        """How many times the rival's figure."""
        return None if self.other is None else self.own / self.other

    @property
    def is_broken(self) -> bool:
        """Whether the guard is passed."""
        return self.ratio is not None and self.guard is not None and self.ratio > self.guard

    def cells(self) -> tuple[str, ...]:
        """Job, own figure, rival, its figure, ratio, goal, and whether it was met."""
        if self.ratio is None or self.other is None:
            own = "" if math.isnan(self.own) else f"{self.own:.3g} {self.unit}"
            return (self.job, own, self.rival, "absent", "", "", "")
        met = "" if self.goal is None else "yes" if self.ratio <= self.goal else "no"
        goal = "" if self.goal is None else f"<= {self.goal:.3g}"
        own, other = (f"{value:.3g} {self.unit}" for value in (self.own, self.other))
        return (self.job, own, self.rival, other, f"{self.ratio:.3g}", goal, met)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took, its children included."""

    cpu: float
    """Seconds, user and system."""
    wall: float
    """Seconds."""
    memory: float
    """Megabytes that it, or one of its children, held at most."""


def medians(jobs: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median CPU seconds of each job; they take turns, after a first turn that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(repeats + 1):
        for name, job in jobs.items():
            start = time.process_time()
            job()  # and what it gives back is freed
            seconds = time.process_time() - start
            if turn:
                times[name].append(seconds)
    return {name: median(of_job) for name, of_job in times.items()}


def costs(commands: Mapping[str, Sequence[object]], repeats: int) -> dict[str, Cost]:
    """Median costs of each command, which take turns on one thread each."""
    found: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            found[name].append(run(command))
    return {
        name: Cost(*(median(getattr(c, field) for c in of_one) for field in Cost.__slots__))
        for name, of_one in found.items()
    }


def run(command: Sequence[object]) -> Cost:
    """What a command costs.

    Raises:
        CalledProcessError: it failed; its last words are in `stderr`.
    """
    words = [sys.executable, "-S", str(_CHILD), *map(str, command)]
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, env={**os.environ, **ONE_THREAD}
    )
    return Cost(**json.loads(done.stdout))
