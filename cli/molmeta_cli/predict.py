"""`molmeta predict`: score compounds with a model adapted to the user's target."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import click
from click.core import ParameterSource

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
from molmeta_cli.console import progress_bar, rows_out, tell, tell_summary

if TYPE_CHECKING:
    from molmeta.assays.tables import Row
    from molmeta.screening.journal import Journal
    from molmeta.screening.library import ScoreChunks
    from molmeta.target import TargetModel


@click.command(
    epilog='\b\nExample: molmeta predict --support my_assay.csv --smiles "CC(=O)Nc1ccc(O)cc1"'
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
@click.option(
    "--index",
    "index_path",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A library that molmeta index has read; ranked on all cores, unless --threads are given.",
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
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that score. From 2 on, a molecule that ends one or hangs costs its row alone.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="With --workers: how long one molecule may take.  [default: 10]",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="K",
    help="Only the K best, best first.  [with --index: 1000]",
)
@click.option(
    "--abstain",
    is_flag=True,
    help="No answer where it should not be trusted: near 1/2, or unlike your compounds.",
)
@click.option("--strict", is_flag=True, help="Exit with 7 if a row has no score.")
@click.option(
    "--summary",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the account of the run goes. Default: beside the output, OUTPUT.json.",
)
@model_flags
def command(
    model: Path | None,
    smiles: tuple[str, ...],
    input_path: str | None,
    index_path: Path | None,
    smiles_column: str | None,
    no_header: bool,
    encoding: str | None,
    output: str | None,
    escape_formulas: bool,
    overwrite: bool,
    workers: int,
    timeout: float | None,
    top: int | None,
    abstain: bool,
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
    columns of the input it adds the probability of being active, the interval (low, high) in which
    it stays in nine cases of ten when many more compounds are measured, how far the method itself
    doubts it (deviation of the log odds), the similarity to the nearest support compound, and for
    each row a status with its reason.

    With --values it adds the expected value in place of the probability, the interval (low, high)
    that holds a measurement in nine cases of ten, and the deviation of a measurement. For
    concentrations these are pIC50, minus log10 of mol/L: 6 is 1 uM, 9 is 1 nM, and the most potent
    rank first.

    A run from a file to a file that was stopped, by whatever, goes on where it was when the same
    command is given again; from stdin or to stdout it starts anew. The account of a run is JSON:
    the counts by status, the model with its origin and licence, and the versions.

    With --index it ranks a library that molmeta index has read before, millions of compounds a
    second. Of such a library the best K come out, with the columns that --input and --top would
    give.
    """
    _check_flags(model, support, smiles, input_path, index_path)
    if timeout is not None and workers == 1:
        raise click.UsageError("--timeout needs --workers 2 or more: it ends a process.")
    if index_path is not None:
        _check_index_flags(device, workers, abstain)
        device, rankers = "cpu", _threads_for_index(threads)
        threads = 1  # of torch: a ranker keeps a core busy by itself
    device = prepare_device("cpu" if workers > 1 and device == "auto" else device, threads)
    from molmeta.assays.outputs import check_place
    from molmeta.assays.tables import Table
    from molmeta.index.ranking import TOP, LibraryIndex, rank
    from molmeta.screening import NUMERIC, appended_columns, screen
    from molmeta.screening.provenance import account

    reads = [path for path in (input_path, support["support"], model) if path is not None]
    if summary is not None:
        check_place(summary, overwrite=overwrite, inputs=reads)
    journal = None
    with ExitStack() as stack:
        how = {
            "smiles_column": smiles_column,
            "header": False if no_header else None,
            "encoding": encoding,
        }
        index = None if index_path is None else LibraryIndex(index_path)
        if index is None:
            columns, place, rows = stack.enter_context(open_rows(smiles, input_path, how, quiet))
        else:
            columns, place, rows = index.columns, index.manifest.smiles_column, ()
            top = top or TOP
        target = open_target(
            model,
            support,
            encoding=encoding,
            allow_tiny=allow_tiny,
            memory=memory,
            device=device,
            quiet=quiet,
        )
        ranked, values = top is not None, target.predicts_values
        names = appended_columns(columns, ranked=ranked, values=values)
        companions: dict[Path, str] = {}
        form: dict[str, Any] = {
            "overwrite": overwrite,
            "inputs": reads,
            "numeric": [names[name] for name in NUMERIC if name in names],
            "smiles_column": place,
            "escape_formulas": escape_formulas,
            "companions": companions,
        }
        out = stack.enter_context(rows_out(output, (*columns, *names.values()), form))
        score_chunks = stack.enter_context(_scoring(target, workers, timeout))
        if output is not None and _is_file(output):
            summary = summary or _account_path(Path(output), overwrite)
            if input_path not in (None, "-"):
                journal = stack.enter_context(_journal(Path(output), target, overwrite, quiet))
                score_chunks = journal.over(score_chunks)
        share_read = rows.share_read if isinstance(rows, Table) else None
        source = input_path if index_path is None else str(index_path)
        progress = stack.enter_context(progress_bar(source, output, quiet, share_read))
        if index is not None:
            assert top is not None
            result = rank(target, index, out, top=top, threads=rankers, progress=progress)
        else:
            result = screen(
                target,
                rows,
                out,
                top=top,
                abstain=abstain,
                score_chunks=score_chunks,
                progress=progress,
            )
        if summary is not None:
            companions[summary] = account(target, result, source=source, top=top)
    if journal is not None:
        journal.remove()
    tell_summary(result, quiet)
    if strict and result.n_failed:
        tell(f"Error: {result.n_failed} rows have no score, and --strict was given.")
        raise click.exceptions.Exit(7)


def _check_flags(
    model: Path | None,
    support: SupportFlags,
    smiles: Sequence[str],
    input_path: str | None,
    index_path: Path | None,
) -> None:
    check_target_flags(model, support)
    if bool(smiles) + (input_path is not None) + (index_path is not None) != 1:
        raise click.UsageError(
            "Say what to score: --smiles TEXT, --input FILE or --index FOLDER; one of the three."
        )
    if input_path == "-" and support["support"] == "-":
        raise click.UsageError("--input and --support cannot both be read from stdin.")


def _check_index_flags(device: str, workers: int, abstain: bool) -> None:
    if device not in ("auto", "cpu"):
        raise click.UsageError("--index ranks on the CPU: leave --device out.")
    if workers > 1:
        raise click.UsageError("--index ranks in one process: give --threads, not --workers.")
    if abstain:
        raise click.UsageError("--abstain is for --smiles and --input; --index shows the best.")


def _threads_for_index(threads: int) -> int:
    """As many as there are cores, unless the user said how many."""
    source = click.get_current_context().get_parameter_source("threads")
    return threads if source is ParameterSource.COMMANDLINE else os.cpu_count() or 1


@contextmanager
def open_rows(
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
def _scoring(target: TargetModel, workers: int, timeout: float | None) -> Iterator[ScoreChunks]:
    """Who computes the scores: this process, or several."""
    from molmeta.screening.library import in_process
    from molmeta.screening.workers import TIMEOUT, Workers

    if workers == 1:
        yield in_process(target)
        return
    with Workers(target, workers, timeout=timeout or TIMEOUT) as pool:
        yield pool.score_chunks


def _is_file(output: str) -> bool:
    """Whether the rows go to a file, and not to a terminal, a pipe or a device."""
    return output != "-" and (Path(output).is_file() or not Path(output).exists())


def _account_path(output: Path, overwrite: bool) -> Path:
    """Where the account goes unless the user said so."""
    from molmeta.screening.provenance import account_path, check_account_path

    path = account_path(output)
    if not overwrite:
        check_account_path(path)
    return path


@contextmanager
def _journal(output: Path, target: TargetModel, overwrite: bool, quiet: bool) -> Iterator[Journal]:
    """The journal of the run, with a word on what it is good for."""
    from molmeta.screening.journal import Journal

    with Journal(output, target, overwrite=overwrite) as journal:
        if journal.holds_rows:
            tell("An earlier run of this command was stopped: going on where it was.", quiet)
        try:
            yield journal
        except BaseException:
            if journal.holds_rows:
                tell("The same command goes on from here: what was scored is kept.", quiet)
            raise
