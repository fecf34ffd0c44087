"""`molmeta predict`: score compounds with a model adapted to the user's target."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click
from click.core import ParameterSource

from molmeta.forkserver import start_loading
from molmeta_cli.adaptation import check_target_flags, files_read, open_target, prepare_device
from molmeta_cli.console import progress_bar, rows_out, tell, tell_summary
from molmeta_cli.flags import (
    ESCAPE_FLAG,
    OVERWRITE_FLAG,
    ROWS_FLAG,
    LibraryFlags,
    check_timeout,
    input_flag,
    model_flags,
    smiles_flag,
    table_flags,
    target_flags,
    worker_flags,
)
from molmeta_cli.library import open_rows, rows_form

if TYPE_CHECKING:
    from molmeta.screening.journal import Journal
    from molmeta.screening.library import ScoreChunks
    from molmeta.target import TargetModel


@click.command(
    epilog='\b\nExample: molmeta predict --support my_assay.csv --smiles "CC(=O)Nc1ccc(O)cc1"'
)
@target_flags
@smiles_flag()
@input_flag()
@click.option(
    "--index",
    "index_path",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A library that molmeta index has read; ranked on all cores, unless --threads are given.",
)
@table_flags("input")
@ROWS_FLAG
@ESCAPE_FLAG
@OVERWRITE_FLAG
@worker_flags
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
    smiles: tuple[str, ...],
    input_path: str | None,
    index_path: Path | None,
    output: str | None,
    workers: int,
    timeout: float | None,
    top: int | None,
    abstain: bool,
    strict: bool,
    summary: Path | None,
    **flags: Unpack[LibraryFlags],
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
    check_target_flags(flags, input_path)
    if bool(smiles) + (input_path is not None) + (index_path is not None) != 1:
        raise click.UsageError(
            "Say what to score: --smiles TEXT, --input FILE or --index FOLDER; one of the three."
        )
    check_timeout(timeout, workers)
    device, threads, quiet = flags["device"], flags["threads"], flags["quiet"]
    if index_path is not None:
        _check_index_flags(device, workers, abstain)
        device, rankers = "cpu", _threads_for_index(threads)
        threads = 1  # of torch: a ranker keeps a core busy by itself
    if workers > 1:
        start_loading()
    chosen = prepare_device("cpu" if workers > 1 and device == "auto" else device, threads)
    from molmeta.assays.outputs import check_place
    from molmeta.assays.tables import Table
    from molmeta.index.ranking import TOP, LibraryIndex, rank
    from molmeta.screening import NUMERIC, appended_columns, screen
    from molmeta.screening.provenance import account

    if summary is not None:
        inputs = files_read(flags, input_path)
        check_place(summary, overwrite=flags["overwrite"], inputs=inputs)
    journal = None
    with ExitStack() as stack:
        index = None if index_path is None else LibraryIndex(index_path)
        if index is None:
            columns, place, rows = stack.enter_context(open_rows(smiles, input_path, flags))
        else:
            columns, place, rows = index.columns, index.manifest.smiles_column, ()
            top = top or TOP
        target = open_target(flags, chosen)
        ranked, values = top is not None, target.predicts_values
        names = appended_columns(columns, ranked=ranked, values=values)
        companions: dict[Path, str] = {}
        form = rows_form(flags, names, NUMERIC, smiles_column=place, input_path=input_path)
        form["companions"] = companions
        out = stack.enter_context(rows_out(output, (*columns, *names.values()), form))
        score_chunks = stack.enter_context(_scoring(target, workers, timeout))
        if output is not None and _is_file(output):
            summary = summary or _account_path(Path(output), flags["overwrite"])
            if input_path not in (None, "-"):
                journal = stack.enter_context(_journal(Path(output), target, flags))
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
def _scoring(target: TargetModel, workers: int, timeout: float | None) -> Iterator[ScoreChunks]:
    """Who computes the scores: this process, or several."""
    from molmeta.screening.library import in_process
    from molmeta.screening.pool import TIMEOUT
    from molmeta.screening.workers import Workers

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
def _journal(output: Path, target: TargetModel, flags: LibraryFlags) -> Iterator[Journal]:
    """The journal of the run, with a word on what it is good for."""
    from molmeta.screening.journal import Journal

    quiet = flags["quiet"]
    with Journal(output, target, overwrite=flags["overwrite"]) as journal:
        if journal.holds_rows:
            tell("An earlier run of this command was stopped: going on where it was.", quiet)
        try:
            yield journal
        except BaseException:
            if journal.holds_rows:
                tell("The same command goes on from here: what was scored is kept.", quiet)
            raise
