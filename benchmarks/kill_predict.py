"""`kill -9` in the midst of `molmeta predict`: `python -m benchmarks.kill_predict --help`.

Each run is killed, at a random time or before one of the calls by which files take and lose their
names and reach the disk. After that the output must be absent, or complete; the same command must
then finish it, byte for byte as if nothing had happened, and leave nothing else behind.
"""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count, cycle, islice
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any

import click
from molmeta_cli.main import main as molmeta

from molmeta.assays.tables import open_table
from molmeta.checkpoint import shipped_model_path

_CALLS = ("fsync", "replace", "unlink")
"""Of `os`: what stands between a file half written and one that lasts."""

_COMMANDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("scores.csv", ()),
    ("scores.tsv.gz", ()),
    ("scores.smi.zst", ()),
    ("scores.parquet", ()),
    ("scores.csv", ("--top", "20")),
    ("scores.sdf", ()),
    ("scores.csv", ("--workers", "2")),
)
"""Outputs, and flags that go with them."""

_CONTEXT: Any = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["molmeta_cli.predict", "molmeta.screening.journal", "molmeta.screening.workers"]
)


class Violation(AssertionError):
    """A kill did harm."""


class Campaign:
    """One command, killed again and again in a folder of its own.

    Args:
        folder: empty.
        words: of `molmeta`, without the output.
        output: name of the output.
    """

    def __init__(self, folder: Path, words: Sequence[str], output: str) -> None:
        self._folder = folder
        self._words = [*words, "--output", str(folder / output), "--quiet"]
        self.outcomes: Counter[str] = Counter()
        self._finish()  # the first one pays for what the machine has to read from its disk
        start = time.monotonic()
        self._expected = self._finish()
        self._seconds = time.monotonic() - start

    def kill_at(self, share: float) -> None:
        """Kill it after this share of its usual time, 0 to 1."""
        process = self._start()
        process.join(share * self._seconds)
        process.kill()
        process.join()
        self._check(was_killed=process.exitcode == -signal.SIGKILL)

    def kill_before_each_call(self) -> None:
        """Kill it before its first call of `_CALLS`, then before its second, until it has no more.

        Raises:
            Violation: the output was harmed, not finished, or not left alone.
        """
        for n in count(1):
            process = self._start(die_before=n)
            process.join()
            was_killed = process.exitcode == -signal.SIGKILL
            self._check(was_killed=was_killed)
            if not was_killed:
                return

    def _start(self, die_before: int | None = None) -> BaseProcess:
        process: BaseProcess = _CONTEXT.Process(target=_run, args=(self._words, die_before))
        process.start()
        return process

    def _finish(self) -> dict[str, bytes]:
        """Run it to its end, and take away what it wrote."""
        process = self._start()
        process.join()
        # 6: it was killed when all was done already.
        if process.exitcode != 0 and not (process.exitcode == 6 and self.outcomes):
            raise Violation(f"it ended with {process.exitcode}: {self._words}")
        return self._taken()

    def _check(self, *, was_killed: bool) -> None:
        files = [path for path in self._folder.iterdir() if path.is_file()]
        left = {path.name: path.read_bytes() for path in files}
        for name in set(left) & set(self._expected):
            if left[name] != self._expected[name]:
                raise Violation(f"{name} was not whole after a kill: {self._words}")
        if set(self._expected) <= set(left):
            outcome = "complete"
        elif any(name.endswith(".journal") for name in left):
            outcome = "went on"
        else:
            outcome = "began anew"
        self.outcomes[outcome if was_killed else "not killed"] += 1
        found = self._finish()
        if outcome == "complete":  # a journal may stay with an output that is there already
            found = {name: found[name] for name in found if not name.endswith(".journal")}
        if found != self._expected:
            raise Violation(f"{sorted(found)} are not as without the kill: {self._words}")

    def _taken(self) -> dict[str, bytes]:
        contents = {}
        for path in self._folder.iterdir():
            contents[path.name] = path.read_bytes()
            path.unlink()
        return contents


def write_library(path: Path, smiles: Sequence[str], n: int) -> None:
    """A CSV of `n` rows with `smiles` over and over."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("id", "smiles"))
        table.writerows(enumerate(islice(cycle(smiles), n)))


def _run(words: Sequence[str], die_before: int | None) -> None:
    # Its words are known: of an output that is complete, it says that it exists already.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    if die_before is not None:
        calls = count(1)
        for name in _CALLS:
            setattr(os, name, _deadly(getattr(os, name), calls, die_before))
    sys.exit(molmeta(["predict", *words], standalone_mode=False) or 0)


def _deadly(call: Callable[..., Any], calls: Iterator[int], deadly: int) -> Callable[..., Any]:
    def wrapped(*args: Any, **settings: Any) -> Any:
        if next(calls) == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **settings)

    return wrapped


@click.command()
@click.option("--support", default="examples/herg_support.csv", show_default=True)
@click.option("--input", "path", default="examples/candidates.smi", show_default=True)
@click.option("--rows", type=click.IntRange(min=1), default=15_000, show_default=True)
@click.option("--runs", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def main(support: str, path: str, rows: int, runs: int, seed: int) -> None:
    """Kill predict RUNS times at random times, and before each call that matters once."""
    random = Random(seed)
    with tempfile.TemporaryDirectory() as name, open_table(path) as table:
        root = Path(name)
        write_library(root / "library.csv", [row.smiles for row in table], rows)
        words = ["--support", support, "--learner-model", str(shipped_model_path())]
        campaigns = []
        for place, (output, flags) in enumerate(_COMMANDS):
            folder = root / str(place)
            folder.mkdir()
            all_words = [*words, "--input", str(root / "library.csv"), *flags]
            campaigns.append(Campaign(folder, all_words, output))
            campaigns[-1].kill_before_each_call()
        for campaign in islice(cycle(campaigns), runs):
            campaign.kill_at(random.random())
        for (output, flags), campaign in zip(_COMMANDS, campaigns, strict=True):
            counts = ", ".join(f"{n} {outcome}" for outcome, n in campaign.outcomes.most_common())
            click.echo(f"{' '.join((output, *flags)):24} {counts}")
        total = sum((campaign.outcomes for campaign in campaigns), Counter[str]())
        n_killed = total.total() - total["not killed"]
        click.echo(f"{n_killed} kills, seed {seed}: every output whole, every rerun equal")


if __name__ == "__main__":
    main()
