"""`molmeta adapt`: keep a model adapted to the user's target in one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Unpack

import click

from molmeta.errors import OutputError
from molmeta_cli.adaptation import (
    ENCODING_FLAG,
    SupportFlags,
    adapt_to_support,
    model_flags,
    prepare_device,
    support_flags,
    tell_about,
)
from molmeta_cli.console import tell


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
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@model_flags
def command(
    output: Path,
    encoding: str | None,
    overwrite: bool,
    device: str,
    threads: int,
    quiet: bool,
    memory: bool,
    **support: Unpack[SupportFlags],
) -> None:
    """Adapt the model to your target once, for many calls of molmeta predict --model.

    The file holds the structures and the classes or values of the support compounds: it is as
    confidential as they are.
    """
    if support["support"] is None:
        raise click.UsageError("Say what you have measured: --support FILE.")
    if output.exists() and os.path.samefile(output, support["support"]):
        raise OutputError(f"{output} is the support file; write the model to another.")
    target = adapt_to_support(
        support,
        encoding=encoding,
        allow_tiny=False,
        memory=memory,
        device=prepare_device(device, threads),
        quiet=quiet,
    )
    tell_about(target, quiet)
    target.save(output, overwrite=overwrite)
    tell(f"Use it with: molmeta predict --model {output} --input library.csv", quiet)
    click.echo(str(output))
