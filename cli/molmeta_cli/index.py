"""`molmeta index`: read a library once, to rank it for any target in seconds."""

from __future__ import annotations

from pathlib import Path

import click

from molmeta_cli.adaptation import ENCODING_FLAG, prepare_device
from molmeta_cli.console import counted, progress_bar, tell


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
@click.option("--smiles-column", metavar="NAME", help="Where the library has its SMILES.")
@click.option("--no-header", is_flag=True, help="The library's first line is a compound already.")
@ENCODING_FLAG
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that read and encode molecules.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--quiet", is_flag=True, help="No notes and no progress; errors are still told.")
def command(
    library: str,
    output: Path,
    model: Path | None,
    append: bool,
    smiles_column: str | None,
    no_header: bool,
    encoding: str | None,
    workers: int,
    device: str,
    quiet: bool,
) -> None:
    """Keep what the model needs of each molecule of LIBRARY: CSV, TSV, SMI, SDF or Parquet.

    Reading and encoding take nearly all of the time of a prediction, and are the same for every
    target. molmeta predict --index ranks millions of molecules a second with what is kept here:
    about 750 bytes a molecule, and the library's own columns.

    The same command goes on after any interruption. Rows that are no molecules are listed in
    FOLDER/rejected.csv.
    """
    device = prepare_device("cpu" if workers > 1 and device == "auto" else device, threads=1)
    from molmeta.assays.tables import open_table
    from molmeta.checkpoint import load_checkpoint, shipped_model_path
    from molmeta.index.building import REJECTED, build_index
    from molmeta.index.ranking import require_head_learner

    checkpoint = load_checkpoint(model or shipped_model_path(), device=device, memory=False)
    learner = require_head_learner(checkpoint.learner)
    header = False if no_header else None
    with (
        open_table(library, smiles_column=smiles_column, header=header, encoding=encoding) as table,
        progress_bar(library, str(output), quiet, table.share_read) as progress,
    ):
        manifest = build_index(
            output, table, learner, append=append, workers=workers, progress=progress
        )
        for note in table.notes:
            tell(f"Library: {note}", quiet)
    n_rejected = manifest.n_rows - manifest.n_molecules
    tell(f"{counted(manifest.n_rows, 'row')}, {n_rejected:,} of them no molecules.", quiet)
    if n_rejected:
        tell(f"They are listed in {output / REJECTED}, with the reasons.", quiet)
    tell(f"Use it with: molmeta predict --index {output} --support my_assay.csv", quiet)
    click.echo(str(output))
