"""`molmeta suggest`: which compounds of a library to measure next."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Unpack

import click

from molmeta_cli.adaptation import check_target_flags, open_target, prepare_device
from molmeta_cli.console import counted, progress_bar, rows_out, tell
from molmeta_cli.flags import (
    ESCAPE_FLAG,
    OVERWRITE_FLAG,
    ROWS_FLAG,
    LibraryFlags,
    input_flag,
    model_flags,
    table_flags,
    target_flags,
)
from molmeta_cli.library import open_library, rows_form


@click.command(
    epilog="\b\nExample: molmeta suggest --support my_assay.csv --input library.smi --batch 24"
)
@target_flags
@input_flag(required=True)
@table_flags("input")
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
@ROWS_FLAG
@ESCAPE_FLAG
@OVERWRITE_FLAG
@model_flags
def command(
    input_path: str,
    batch: int,
    max_similarity: float,
    output: str | None,
    **flags: Unpack[LibraryFlags],
) -> None:
    """Choose the compounds of a library to measure next, each with its reason.

    The best prospects come first: what is likely active, with a little credit for what the model
    is unsure of and the compounds picked before will not tell, and no compound that is nearly the
    same as one of them. What you have measured already is left out. The library may be of any size.
    """
    check_target_flags(flags, input_path)
    quiet = flags["quiet"]
    device = prepare_device(flags["device"], flags["threads"])
    from molmeta.screening import free_names
    from molmeta.suggestion.picks import NUMERIC, appended_columns
    from molmeta.suggestion.suggest import suggest

    with ExitStack() as stack:
        table = stack.enter_context(open_library(input_path, flags))
        target = open_target(flags, device)
        names = free_names(table.columns, appended_columns(target.predicts_values))
        form = rows_form(
            flags, names, NUMERIC, smiles_column=table.smiles_column, input_path=input_path
        )
        out = stack.enter_context(rows_out(output, (*table.columns, *names.values()), form))
        with progress_bar(input_path, output, quiet) as progress:
            found = suggest(
                target, table, batch=batch, max_similarity=max_similarity, progress=progress
            )
        for pick in found.picks:
            out.write((*pick.row.cells, *pick.cells(target.predicts_values)))
    counts = ", ".join(f"{n} {status}" for status, n in found.by_status.most_common())
    tell(
        f"{counted(found.n_rows, 'row')}: {counts or 'a header and nothing else'}.", flags["quiet"]
    )
    if len(found.picks) < batch:
        tell(
            f"The library has only {counted(len(found.picks), 'compound')} that can be scored and "
            "are not measured already.",
            quiet,
        )
