"""`molmeta predict`: score compounds with a model adapted to the user's target."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

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
from molmeta_cli.console import TerminalTable, tell, tell_summary

if TYPE_CHECKING:
    from molmeta.assays.tables import Row
    from molmeta.screening import RowOutput, ScreenSummary
    from molmeta.target import TargetModel


@click.command(
    epilog='Example: molmeta predict --support my_assay.csv --smiles "CC(=O)Nc1ccc(O)cc1"'
)
@support_flags
@click.option(
    "--allow-tiny", is_flag=True, help="With actives alone, rank by similarity to them instead."
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A model adapted already, by molmeta adapt; instead of --support.",
)
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
    type=click.Path(),
    metavar="FILE",
    help="CSV, TSV, SMI, SDF or Parquet, told from the name, also .gz or .zst. Default: a table on "
    "a terminal, else CSV.",
)
@click.option(
    "--escape-formulas",
    is_flag=True,
    help="In CSV and TSV, put ' before cells that a spreadsheet would run as formulas.",
)
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@click.option("--top", type=click.IntRange(min=1), metavar="K", help="Only the K best, best first.")
@click.option("--strict", is_flag=True, help="Exit with 7 if a row has no score.")
@click.option(
    "--summary", type=click.Path(path_type=Path), metavar="FILE", help="Counts as JSON, to a file."
)
@model_flags
def command(
    model: Path | None,
    smiles: tuple[str, ...],
    input_path: str | None,
    smiles_column: str | None,
    no_header: bool,
    encoding: str | None,
    output: str | None,
    escape_formulas: bool,
    overwrite: bool,
    top: int | None,
    allow_tiny: bool,
    device: str,
    threads: int,
    quiet: bool,
    memory: bool,
    strict: bool,
    summary: Path | None,
    **support: Unpack[SupportFlags],
) -> None:
    """Score compounds for your target, each row in its place.

    The model learns the target from --support, a file of compounds that you have measured. To the
    columns of the input it adds the probability of being active, how far the method itself doubts
    it (deviation of the log odds), the similarity to the nearest support compound, and for each row
    a status with its reason.

    With --values it adds the expected value in place of the probability, the interval (low, high)
    that holds a measurement in nine cases of ten, and the deviation of a measurement. For
    concentrations these are pIC50, minus log10 of mol/L: 6 is 1 uM, 9 is 1 nM, and the most potent
    rank first.
    """
    _check_flags(model, support, smiles, input_path)
    if summary is not None and summary.exists() and not overwrite:
        raise OutputError(f"{summary} exists already; name another file, or give --overwrite")
    device = prepare_device(device, threads)
    from molmeta.screening import NUMERIC, appended_columns, screen
    from molmeta.target import TargetModel

    with ExitStack() as stack:
        how = {
            "smiles_column": smiles_column,
            "header": False if no_header else None,
            "encoding": encoding,
        }
        columns, place, rows = stack.enter_context(_opened(smiles, input_path, how, quiet))
        if model is not None:
            target = TargetModel.load(model, device=device, memory=memory)
        else:
            target = adapt_to_support(
                support,
                encoding=encoding,
                allow_tiny=allow_tiny,
                memory=memory,
                device=device,
                quiet=quiet,
            )
        tell_about(target, quiet)
        ranked, values = top is not None, target.predicts_values
        names = appended_columns(columns, ranked=ranked, values=values)
        reads = [path for path in (input_path, support["support"], model) if path is not None]
        form: dict[str, Any] = {
            "overwrite": overwrite,
            "inputs": reads,
            "numeric": [names[name] for name in NUMERIC if name in names],
            "smiles_column": place,
            "escape_formulas": escape_formulas,
        }
        out = stack.enter_context(_written(output, (*columns, *names.values()), form))
        progress = stack.enter_context(_progress(input_path, output, quiet))
        result = screen(target, rows, out, top=top, progress=progress)
    tell_summary(result, quiet)
    if summary is not None:
        _write_summary(summary, result, target)
    if strict and result.n_failed:
        tell(f"Error: {result.n_failed} rows have no score, and --strict was given.")
        raise click.exceptions.Exit(7)


def _check_flags(
    model: Path | None, support: SupportFlags, smiles: Sequence[str], input_path: str | None
) -> None:
    if (model is None) == (support["support"] is None):
        raise click.UsageError(
            "Say what the target is: --support FILE with measured compounds, or --model FILE from "
            "molmeta adapt; one of the two."
        )
    if bool(smiles) == (input_path is not None):
        raise click.UsageError("Say what to score: --smiles TEXT or --input FILE; one of the two.")
    if input_path == "-" and support["support"] == "-":
        raise click.UsageError("--input and --support cannot both be read from stdin.")
    given = [name for name, value in support.items() if value not in (None, False, "drop")]
    if model is not None and given:
        flag = given[0].replace("_", "-")
        raise click.UsageError(f"--{flag} goes with --support; --model has its support inside.")


@contextmanager
def _opened(
    smiles: Sequence[str], path: str | None, how: dict[str, Any], quiet: bool
) -> Iterator[tuple[Sequence[str], str, Iterable[Row]]]:
    """The columns, which of them is the molecule, and the rows; `how` goes to `open_table`."""
    from molmeta.assays.tables import Row, open_table

    if path is None:
        rows = [Row(i, text, (text,), None, i) for i, text in enumerate(smiles, 1)]
        yield ("smiles",), "smiles", rows
        return
    with open_table(path, **how) as table:
        yield table.columns, table.smiles_column, table
        for note in table.notes:
            tell(f"Input: {note}", quiet)


@contextmanager
def _written(path: str | None, header: Sequence[str], form: dict[str, Any]) -> Iterator[RowOutput]:
    """Where the rows go: a file, the terminal, or CSV into a pipe; `form` goes to `open_output`."""
    from molmeta.assays.outputs import open_output

    if path is None and _is_terminal():
        table = TerminalTable(header)
        yield table
        table.finish()
        return
    with open_output(path or "-", header, **form) as out:
        yield out


@contextmanager
def _progress(
    input_path: str | None, output: str | None, quiet: bool
) -> Iterator[Callable[[int], object] | None]:
    """A bar on the terminal, unless the rows themselves go there."""
    to_terminal = output is None and _is_terminal()
    if quiet or input_path is None or to_terminal or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit=" compounds", unit_scale=True) as bar:
        yield bar.update


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _write_summary(path: Path, result: ScreenSummary, target: TargetModel) -> None:
    document = {
        "n_rows": result.n_rows,
        "n_failed": result.n_failed,
        "n_in_support": result.n_in_support,
        "n_seen": result.n_seen,
        "by_status": dict(result.by_status),
        "n_support": len(target.support),
        "n_support_active": target.n_active,
        "n_support_bounds": target.n_bounds,
        "n_support_seen": target.n_support_seen,
        "model_sha256": target.checkpoint.sha256,
    }
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
