"""`molmeta report`: the predictions for a library, and all behind them, on one page."""

from __future__ import annotations

import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import click

from molmeta_cli.adaptation import (
    ENCODING_FLAG,
    TARGET_FLAG,
    SupportFlags,
    adapt_learner,
    check_target_flags,
    model_flags,
    prepare_device,
    read_support_file,
    support_flags,
    tell_about,
)
from molmeta_cli.console import progress_bar, tell, tell_summary
from molmeta_cli.predict import open_rows

if TYPE_CHECKING:
    from molmeta.assays.measured_support import MeasuredSupport
    from molmeta.assays.support import SupportSet


@click.command(
    epilog="\b\nExample: molmeta report --support my_assay.csv --input library.csv "
    "--output report.html"
)
@support_flags
@click.option(
    "--allow-tiny", is_flag=True, help="With actives alone, rank by similarity to them instead."
)
@TARGET_FLAG
@click.option("--smiles", multiple=True, metavar="TEXT", help="A compound; may be repeated.")
@click.option(
    "--input",
    "input_path",
    type=click.Path(),
    metavar="FILE",
    help="Compounds: CSV, TSV, SMI, SDF or Parquet, also packed with gzip or zstd; - for stdin.",
)
@click.option("--smiles-column", metavar="NAME", help="Where the input has its SMILES.")
@click.option("--no-header", is_flag=True, help="The input's first line is a compound already.")
@ENCODING_FLAG
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
@click.option(
    "--escape-formulas",
    is_flag=True,
    help="In CSV and TSV, put ' before cells that a spreadsheet would run as formulas.",
)
@click.option("--overwrite", is_flag=True, help="Replace the outputs if they exist.")
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
    model: Path | None,
    smiles: tuple[str, ...],
    input_path: str | None,
    smiles_column: str | None,
    no_header: bool,
    encoding: str | None,
    output: Path,
    tables: tuple[str, ...],
    escape_formulas: bool,
    overwrite: bool,
    top: int,
    title: str | None,
    allow_tiny: bool,
    device: str,
    threads: int,
    quiet: bool,
    memory: bool,
    **support: Unpack[SupportFlags],
) -> None:
    """Show the predictions for a library on one page, to read, to print and to send.

    The page has the verdict of molmeta check in words, the ranked compounds with their structures,
    flags and nearest measured compounds, what the scores of the best ones are made of, how the
    model fared on your own compounds, what was done to your data, and where the model comes from.
    It opens without a network.
    """
    check_target_flags(model, support)
    if bool(smiles) == (input_path is not None):
        raise click.UsageError("Say what to score: --smiles TEXT or --input FILE; one of the two.")
    if input_path == "-" and support["support"] == "-":
        raise click.UsageError("--input and --support cannot both be read from stdin.")
    device = prepare_device(device, threads)
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
        for name, path in (("support", support["support"]), ("library", input_path))
        if path is not None
    }
    reads: list[Path | str] = [*files.values(), *([] if model is None else [model])]
    check_place(output, overwrite=overwrite, inputs=reads)
    with ExitStack() as stack:
        how = {
            "smiles_column": smiles_column,
            "header": False if no_header else None,
            "encoding": encoding,
        }
        columns, place, rows = stack.enter_context(open_rows(smiles, input_path, how, quiet))
        measured: SupportSet | MeasuredSupport | None = None
        if model is None:
            measured = read_support_file(
                support, encoding=encoding, allow_tiny=allow_tiny, quiet=quiet
            )
            target = adapt_learner(support, measured, memory=memory, device=device)
        else:
            target = TargetModel.load(model, device=device, memory=memory)
        tell_about(target, quiet)
        names = appended_columns(columns, ranked=False, values=target.predicts_values)
        form: dict[str, Any] = {
            "overwrite": overwrite,
            "inputs": reads,
            "numeric": [names[name] for name in NUMERIC if name in names],
            "smiles_column": place,
            "escape_formulas": escape_formulas,
        }
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
        used = model or support["learner_model"] or shipped_model_path()
        write_report(
            output,
            target,
            library,
            support=measured,
            notes=rows.notes if isinstance(rows, Table) else (),
            made_from=MadeFrom(
                title=title or Path(support["support"] or used).stem,
                command=shlex.join(["molmeta", *sys.argv[1:]]),
                model=used.name,
                files=files,
            ),
            overwrite=overwrite,
        )
        if support["data_report"] is not None:
            write_data_report(support["data_report"], data_document(target, measured, library))
    tell_summary(library.summary, quiet)
    tell(f"{output}: {output.stat().st_size / 1e6:.1f} MB, to open in any browser.", quiet)
