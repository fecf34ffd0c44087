"""`molmeta report`: the predictions for a library, and all behind them, on one page."""

from __future__ import annotations

import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from molmeta_cli.adaptation import (
    adapt_learner,
    check_target_flags,
    files_read,
    prepare_device,
    read_support_file,
    tell_about,
)
from molmeta_cli.console import progress_bar, tell, tell_summary
from molmeta_cli.flags import (
    ESCAPE_FLAG,
    OVERWRITE_FLAG,
    LibraryFlags,
    input_flag,
    model_flags,
    smiles_flag,
    table_flags,
    target_flags,
)
from molmeta_cli.library import open_rows, rows_form

if TYPE_CHECKING:
    from molmeta.assays.measured_support import MeasuredSupport
    from molmeta.assays.support import SupportSet


@click.command(
    epilog="\b\nExample: molmeta report --support my_assay.csv --input library.csv "
    "--output report.html"
)
@target_flags
@smiles_flag()
@input_flag()
@table_flags("input")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The page, one HTML file that needs nothing beside itself.",
)
@click.option(
    "--table",
    "tables",
    type=click.Path(),
    multiple=True,
    metavar="FILE",
    help="All rows in their order beside it, as molmeta predict writes them: .csv, .sdf, .tsv, "
    ".smi or .parquet; may be repeated.",
)
@ESCAPE_FLAG
@OVERWRITE_FLAG
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    metavar="K",
    help="Show the K best compounds; tables hold all.",
)
@click.option("--title", metavar="TEXT", help="What the target is called.  [default: the file]")
@model_flags
def command(
    smiles: tuple[str, ...],
    input_path: str | None,
    output: Path,
    tables: tuple[str, ...],
    top: int,
    title: str | None,
    **flags: Unpack[LibraryFlags],
) -> None:
    """Show the predictions for a library on one page, to read, to print and to send.

    The page has the verdict of molmeta check in words, the ranked compounds with their structures,
    flags and nearest measured compounds, what the scores of the best ones are made of, how the
    model fared on your own compounds, what was done to your data, and where the model comes from.
    It opens without a network.
    """
    check_target_flags(flags, input_path)
    if bool(smiles) == (input_path is not None):
        raise click.UsageError("Say what to score: --smiles TEXT or --input FILE; one of the two.")
    quiet = flags["quiet"]
    device = prepare_device(flags["device"], flags["threads"])
    from molmeta.assays.outputs import check_place, open_output
    from molmeta.assays.tables import Table
    from molmeta.checkpoint import shipped_model_path
    from molmeta.evaluation.web_page import ask_for_page_libraries
    from molmeta.report.data import data_document, write_data_report
    from molmeta.report.library import read_library
    from molmeta.report.made_from import MadeFrom
    from molmeta.report.page import write_report
    from molmeta.screening import NUMERIC, appended_columns
    from molmeta.target import TargetModel

    ask_for_page_libraries()
    files = {
        name: path
        for name, path in (("support", flags["support"]), ("library", input_path))
        if path is not None
    }
    check_place(output, overwrite=flags["overwrite"], inputs=files_read(flags, input_path))
    with ExitStack() as stack:
        columns, place, rows = stack.enter_context(open_rows(smiles, input_path, flags))
        measured: SupportSet | MeasuredSupport | None = None
        if flags["model"] is None:
            measured = read_support_file(flags, allow_tiny=flags["allow_tiny"])
            target = adapt_learner(flags, measured, device)
        else:
            target = TargetModel.load(flags["model"], device=device, memory=flags["memory"])
        tell_about(target, quiet)
        names = appended_columns(columns, ranked=False, values=target.predicts_values)
        form = rows_form(flags, names, NUMERIC, smiles_column=place, input_path=input_path)
        outputs = [
            stack.enter_context(open_output(path, (*columns, *names.values()), **form))
            for path in tables
        ]
        share_read = rows.share_read if isinstance(rows, Table) else None
        progress = stack.enter_context(progress_bar(input_path, str(output), quiet, share_read))
        library = read_library(
            target,
            rows,
            columns=columns,
            smiles_column=place,
            top=top,
            outputs=outputs,
            progress=progress,
        )
        used = flags["model"] or flags["learner_model"] or shipped_model_path()
        write_report(
            output,
            target,
            library,
            support=measured,
            notes=rows.notes if isinstance(rows, Table) else (),
            made_from=MadeFrom(
                title=title or Path(flags["support"] or used).stem,
                command=shlex.join(["molmeta", *sys.argv[1:]]),
                model=used.name,
                files=files,
            ),
            overwrite=flags["overwrite"],
        )
        if flags["data_report"] is not None:
            write_data_report(flags["data_report"], data_document(target, measured, library))
    tell_summary(library.summary, quiet)
    tell(f"{output}: {output.stat().st_size / 1e6:.1f} MB, to open in any browser.", quiet)
