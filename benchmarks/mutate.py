"""Damaged SMILES by the million, or texts as they are, through the intake.

`python -m benchmarks.mutate --help`.
"""

from __future__ import annotations

import multiprocessing
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection
from random import Random

import click
from rdkit import Chem

from molmeta.assays.tables import open_table
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles

ALPHABET = (
    *"CNOSPFIBcnosp[]()=#$:/\\@+-.%0123456789*~>&|,; \t\"'",
    *("Cl", "Br", "[nH]", "[C@@H]", "[N+]", "[O-]", "%10", "[13C]", "[Fe]", "[H]", ":1]", ">>"),
    *("\0", "\n", "\r", "é", "С", "−", "\u200b", "😀", "\udc80"),
)
"""What is put into a SMILES; the last line has no place in any."""

ATOMS = (*"CNOSFPBIcno", "Cl", "Br", "[N+]", "[O-]", "[nH]", "[2H]", "[C@H]", "[Na+]", "[CH2:1]")

CHUNK = 1_000
"""Texts at a time; a crash is laid at the door of one of them."""

_TOKEN = re.compile(r"\[[^\]]*\]|Cl|Br|%\d\d|.", re.DOTALL)


@dataclass(slots=True)
class Verdicts:
    """What became of the texts."""

    by_status: Counter[str] = field(default_factory=Counter)
    unstable: list[str] = field(default_factory=list)
    """Molecules that, written canonically or in another order of their atoms, are not read back as
    the same, with the same key."""
    slowest: tuple[float, str] = (0.0, "")
    """CPU seconds, and the text that took them."""


def mutated(smiles: str, others: Sequence[str], random: Random) -> str:
    """`smiles` with a few random changes, most of them between tokens; `others` lend pieces."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        tokens = _TOKEN.findall(smiles) if random.random() < 0.8 else list(smiles)
        start = random.randint(0, len(tokens))
        end = min(len(tokens), start + random.choice((0, 1, 1, 1, 2, 5, 20)))
        cut = "".join(tokens[start:end])
        piece = random.choice(
            (
                "",
                random.choice(ALPHABET),
                random.choice(ATOMS),
                random.choice(ATOMS),
                f"{cut}({random.choice(ATOMS)})",
                f"({cut})",
                f"[{cut}]",
                cut[::-1],
                cut * random.choice((2, 2, 3, 50)),
                _slice(random.choice(others), random),
            )
        )
        smiles = "".join([*tokens[:start], piece, *tokens[end:]])
        if random.random() < 0.05:
            smiles += f".{random.choice(others)}"
    return smiles


def mutations(seeds: Sequence[str], seed: int) -> Iterator[str]:
    """Endless damaged SMILES, the same for the same seed."""
    random = Random(seed)
    while True:
        yield mutated(random.choice(seeds), seeds, random)


def examine(texts: Iterable[str], verdicts: Verdicts) -> None:
    """Add the verdicts on the texts; what is read must be readable again and have its arrays."""
    molecules, shuffled = [], []
    for text in texts:
        start = time.process_time()
        outcome = read_smiles(text)
        verdicts.slowest = max(verdicts.slowest, (time.process_time() - start, text))
        verdicts.by_status[outcome.status] += 1
        if isinstance(outcome, Molecule):
            (writing,) = Chem.MolToRandomSmilesVect(outcome.mol, 1, randomSeed=1)
            again = [read_smiles(text) for text in (outcome.smiles, writing)]
            same = [a for a in again if isinstance(a, Molecule) and a.smiles == outcome.smiles]
            if len(same) == len(again):
                molecules.append(outcome)
                shuffled.append(same[-1])
            else:
                verdicts.unstable.append(text)
    keys, others = (featurize(some).keys.tolist() for some in (molecules, shuffled))
    verdicts.unstable += [
        m.smiles for m, a, b in zip(molecules, keys, others, strict=True) if a != b
    ]


@click.command()
@click.option("--input", "path", required=True, help="Molecules to damage: any file of them.")
@click.option("--as-they-are", is_flag=True, help="Damage none: the first N texts of the file.")
@click.option("--n", type=click.IntRange(min=1), default=1_000_000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--patience", type=float, default=60.0, show_default=True, help="Seconds for 1,000.")
def main(path: str, as_they_are: bool, n: int, seed: int, patience: float) -> None:
    """Print the verdicts on N damaged SMILES; a crash or a hang ends the run with its place."""
    with open_table(path) as table:
        rows = islice(table, n if as_they_are else 20_000)
        texts = [row.smiles for row in rows if row.problem is None]
    if as_they_are:
        n, source = len(texts), f"as {path} has them"
    else:
        texts = sorted(set(texts))
        source = f"from {len(texts)} molecules, seed {seed}"
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_examine_all, args=(texts, n, None if as_they_are else seed, sender)
    )
    process.start()
    sender.close()
    verdicts, done = Verdicts(), 0
    while done < n:
        try:
            if not receiver.poll(patience):
                process.kill()
                raise click.ClickException(f"a hang in texts {done} to {done + CHUNK}")
            verdicts = receiver.recv()
        except EOFError:
            process.join()
            place = f"texts {done} to {done + CHUNK}, exit code {process.exitcode}"
            raise click.ClickException(f"a crash in {place}") from None
        done = verdicts.by_status.total()
    process.join()
    click.echo(f"{done} texts {source}: {done} verdicts")
    for status, count in verdicts.by_status.most_common():
        click.echo(f"{status:20} {count:8} {count / done:6.1%}")
    click.echo(f"not read back as the same, canonically or shuffled: {len(verdicts.unstable)}")
    for text in verdicts.unstable[:10]:
        click.echo(f"  {text!a}")
    seconds, text = verdicts.slowest
    click.echo(f"slowest: {seconds:.2f} s CPU, {len(text)} characters: {text[:100]!a}")


def _examine_all(given: Sequence[str], n: int, seed: int | None, sender: Connection) -> None:
    texts = islice(given if seed is None else mutations(given, seed), n)
    verdicts = Verdicts()
    while chunk := list(islice(texts, CHUNK)):
        examine(chunk, verdicts)
        sender.send(verdicts)


def _slice(text: str, random: Random) -> str:
    start, end = sorted(random.randint(0, len(text)) for _ in range(2))
    return text[start:end]


if __name__ == "__main__":
    main()
