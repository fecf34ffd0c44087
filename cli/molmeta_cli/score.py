"""`molmeta score`: a target's model as the scoring function of a molecule generator."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from molmeta_cli.adaptation import prepare_device, tell_about
from molmeta_cli.flags import model_flags

if TYPE_CHECKING:
    from molmeta.target import TargetModel

_END_OF_BATCH = "\f"
"""No SMILES and no generator's failed attempt at one, so that it can end a batch."""


@click.command(
    epilog="\b\nExample: molmeta score --model my_target.molmeta --protocol reinvent < smiles.txt"
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="A model adapted by molmeta adapt.",
)
@click.option(
    "--protocol",
    type=click.Choice(["reinvent"]),
    default="reinvent",
    show_default=True,
    help="How the scores are written; reinvent: for ExternalProcess of REINVENT 4.",
)
@model_flags
def command(
    model: Path, protocol: str, device: str, threads: int, quiet: bool, memory: bool
) -> None:
    """Read SMILES from stdin, one a line, and answer with their scores as one line of JSON.

    The score is the probability of being active; for a model of values it is the value, and for one
    of actives alone the similarity to the nearest. A line that is no molecule, or an empty one,
    scores 0. Scores are in the order of the lines.

    A batch ends with the input. To keep the model loaded between batches, end each with a line that
    holds a form feed (ASCII 12) alone, and read one line of JSON for each.
    """
    chosen = prepare_device(device, threads)
    from molmeta.target import TargetModel

    target = TargetModel.load(model, device=chosen, memory=memory)
    tell_about(target, quiet)
    for batch in _batches(sys.stdin.buffer):
        answer = {"version": 1, "payload": {"predictions": _scores(target, batch)}}
        click.echo(json.dumps(answer, allow_nan=False))


def _batches(stream: BinaryIO) -> Iterator[list[str]]:
    """The lines of each batch without their ends; one batch at least, even of no line."""
    batch: list[str] = []
    ended = False
    for line in stream:
        # Bytes that are no UTF-8 become characters that no SMILES has.
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        ended = text == _END_OF_BATCH
        if ended:
            yield batch
            batch = []
        else:
            batch.append(text)
    if not ended:
        yield batch


def _scores(target: TargetModel, texts: Sequence[str]) -> list[float]:
    """One finite number a text; 0 where there is none, as a generator can learn nothing from null.

    0 is the probability of what is surely inactive, and the pIC50 of what needs 1 mol/L.
    """
    rows = target.score(texts)
    if target.has_both_classes:
        return [row.probability or 0.0 for row in rows]
    return [row.merit or 0.0 for row in rows]
