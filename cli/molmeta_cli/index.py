"""`molmeta index`: read a library once, to rank it for any target in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from molmeta.forkserver import start_loading
from molmeta_cli.adaptation import prepare_device
from molmeta_cli.console import counted, progress_bar, tell
from molmeta_cli.flags import (
    DEVICE_FLAG,
    QUIET_FLAG,
    TableFlags,
    check_timeout,
    table_flags,
    worker_flags,
)
from molmeta_cli.library import open_library


@click.command(epilog="\b\nExample: molmeta index library.csv --output library.index")
@click.argument("library", type=click.Path(), metavar="LIBRARY")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    required=True,
    help="The index. A build that was stopped goes on from there.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Index for this model and its targets, instead of the one that is shipped.",
)
@click.option("--append", is_flag=True, help="Add the rows of LIBRARY to a finished index.")
@table_flags("library")
@worker_flags
@DEVICE_FLAG
@QUIET_FLAG
def command(
    library: str,
    output: Path,
    model: Path | None,
    append: bool,
    workers: int,
    timeout: float | None,
    device: str,
    **flags: Unpack[TableFlags],
) -> None:
    """Keep what the model needs of each molecule of LIBRARY: CSV, TSV, SMI, SDF or Parquet.

    Reading and encoding take nearly all of the time of a prediction, and are the same for every
    target. molmeta predict --index ranks millions of molecules a second with what is kept here:
    about 750 bytes a molecule, and the library's own columns.

    The same command goes on after any interruption. Rows that are no molecules are listed in
    FOLDER/rejected.csv.
    """
    check_timeout(timeout, workers)
    if workers > 1:
        start_loading()
    chosen = prepare_device("cpu" if workers > 1 and device == "auto" else device, threads=1)
    from molmeta.checkpoint import load_checkpoint, shipped_model_path
    from molmeta.index.building import REJECTED, build_index
    from molmeta.index.ranking import require_head_learner
    from molmeta.screening.pool import TIMEOUT

    checkpoint = load_checkpoint(model or shipped_model_path(), device=chosen, memory=False)
    learner = require_head_learner(checkpoint.learner)
    quiet = flags["quiet"]
    with (
        open_library(library, flags, name="Library") as table,
        progress_bar(library, str(output), quiet, table.share_read) as progress,
    ):
        manifest = build_index(
            output,
            table,
            learner,
            append=append,
            workers=workers,
            timeout=timeout or TIMEOUT,
            progress=progress,
        )
    n_rejected = manifest.n_rows - manifest.n_molecules
    tell(f"{counted(manifest.n_rows, 'row')}, {n_rejected:,} of them no molecules.", quiet)
    if n_rejected:
        tell(f"They are listed in {output / REJECTED}, with the reasons.", quiet)
    tell(f"Use it with: molmeta predict --index {output} --support my_assay.csv", quiet)
    click.echo(str(output))
