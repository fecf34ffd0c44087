"""`molmeta suggest`: which compounds of a library to measure next."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Unpack

import click

from molmeta_cli.adaptation import (
    ENCODING_FLAG,
    TARGET_FLAG,
    SupportFlags,
    check_target_flags,
    model_flags,
    open_target,
    prepare_device,
    support_flags,
)
from molmeta_cli.console import counted, progress_bar, rows_out, tell


@click.command(
    epilog="\b\nExample: molmeta suggest --support my_assay.csv --input library.smi --batch 24"
)
@support_flags
@TARGET_FLAG
@click.option(
    "--input",
    "input_path",
    type=click.Path(),
    required=True,
    metavar="FILE",
    help="The compounds to choose from: CSV, TSV, SMI, SDF or Parquet, also .gz or .zst; - for "
    "stdin.",
)
@click.option("--smiles-column", metavar="NAME", help="Where the input has its SMILES.")
@click.option("--no-header", is_flag=True, help="The input's first line is a compound already.")
@ENCODING_FLAG
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=24,
    show_default=True,
    metavar="N",
    help="How many compounds to measure next.",
)
@click.option(
    "--max-similarity",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.9,
    show_default=True,
    metavar="S",
    help="No two compounds of the batch are more alike (Tanimoto), while there are others.",
)
@click.option(
    "--allow-tiny", is_flag=True, help="With actives alone, rank by similarity to them instead."
)
@click.option(
    "--output",
    type=click.Path(),
    metavar="FILE",
    help="CSV, TSV, SMI, SDF or Parquet, told from the name. Default: a table on a terminal, else "
    "CSV.",
)
@click.option(
    "--escape-formulas",
    is_flag=True,
    help="In CSV and TSV, put ' before cells that a spreadsheet would run as formulas.",
)
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@model_flags
def command(
    model: Path | None,
    input_path: str,
    smiles_column: str | None,
    no_header: bool,
    encoding: str | None,
    batch: int,
    max_similarity: float,
    allow_tiny: bool,
    output: str | None,
    escape_formulas: bool,
    overwrite: bool,
    device: str,
    threads: int,
    quiet: bool,
    memory: bool,
    **support: Unpack[SupportFlags],
) -> None:
    """Choose the compounds of a library to measure next, each with its reason.

    The best prospects come first: what is likely active, with a little credit for what the model
    is unsure of and the compounds picked before will not tell, and no compound that is nearly the
    same as one of them. What you have measured already is left out. The library may be of any size.
    """
    check_target_flags(model, support)
    if input_path == "-" and support["support"] == "-":
        raise click.UsageError("--input and --support cannot both be read from stdin.")
    device = prepare_device(device, threads)
    from molmeta.assays.tables import open_table
    from molmeta.screening import free_names
    from molmeta.suggestion import NUMERIC, appended_columns, suggest

    with ExitStack() as stack:
        table = stack.enter_context(
            open_table(
                input_path,
                smiles_column=smiles_column,
                header=False if no_header else None,
                encoding=encoding,
            )
        )
        target = open_target(
            model,
            support,
            encoding=encoding,
            allow_tiny=allow_tiny,
            memory=memory,
            device=device,
            quiet=quiet,
        )
        names = free_names(table.columns, appended_columns(target.predicts_values))
        form: dict[str, Any] = {
            "overwrite": overwrite,
            "inputs": [p for p in (input_path, support["support"], model) if p is not None],
            "numeric": [names[name] for name in NUMERIC if name in names],
            "smiles_column": table.smiles_column,
            "escape_formulas": escape_formulas,
        }
        out = stack.enter_context(rows_out(output, (*table.columns, *names.values()), form))
        with progress_bar(input_path, output, quiet) as progress:
            found = suggest(
                target, table, batch=batch, max_similarity=max_similarity, progress=progress
            )
        for pick in found.picks:
            out.write((*pick.row.cells, *pick.cells(target.predicts_values)))
        for note in table.notes:
            tell(f"Input: {note}", quiet)
    counts = ", ".join(f"{n} {status}" for status, n in found.by_status.most_common())
    tell(f"{counted(found.n_rows, 'row')}: {counts or 'a header and nothing else'}.", quiet)
    if len(found.picks) < batch:
        tell(
            f"The library has only {counted(len(found.picks), 'compound')} that can be scored and "
            "are not measured already.",
            quiet,
        )
