"""`molmeta adapt`: keep a model adapted to the user's target in one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Unpack

import click

from molmeta.errors import OutputError
from molmeta_cli.adaptation import adapt_to_support, prepare_device
from molmeta_cli.console import tell
from molmeta_cli.flags import (
    ENCODING_FLAG,
    OVERWRITE_FLAG,
    AdaptFlags,
    model_flags,
    support_flags,
)


@click.command(
    epilog="\b\nExample: molmeta adapt --support my_assay.csv --output my_target.molmeta",
)
@support_flags
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="The new model file.",
)
@ENCODING_FLAG
@OVERWRITE_FLAG
@model_flags
def command(output: Path, overwrite: bool, **flags: Unpack[AdaptFlags]) -> None:
    """Adapt the model to your target once, for many calls of molmeta predict --model.

    The file holds the structures and the classes or values of the support compounds: it is as
    confidential as they are.
    """
    if flags["support"] is None:
        raise click.UsageError("Say what you have measured: --support FILE.")
    if output.exists() and os.path.samefile(output, flags["support"]):
        raise OutputError(f"{output} is the support file; write the model to another.")
    target = adapt_to_support(flags, prepare_device(flags["device"], flags["threads"]))
    target.save(output, overwrite=overwrite)
    tell(f"Use it with: molmeta predict --model {output} --input library.csv", flags["quiet"])
    click.echo(str(output))
