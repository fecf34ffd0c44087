"""From the flags that `predict` and `adapt` share to a model adapted to the user's target."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import click

from molmeta_cli.console import counted, tell

if TYPE_CHECKING:
    from molmeta.assays.measured_support import MeasuredSupport
    from molmeta.assays.support import SupportSet
    from molmeta.target import TargetModel


class SupportFlags(TypedDict):
    """What was measured on the target, and where to read it."""

    support: str | None
    support_smiles_column: str | None
    label_column: str | None
    values: bool
    threshold: str | None
    active: Literal["above", "below"] | None
    conflict: Literal["drop", "error", "majority"]
    learner_model: Path | None
    data_report: Path | None


ENCODING_FLAG = click.option(
    "--encoding",
    metavar="NAME",
    help="Of text files that are not UTF-8 or UTF-16, such as latin-1 or cp1252.",
)


_SUPPORT_FLAGS = (
    click.option(
        "--support",
        type=click.Path(),
        metavar="FILE",
        help="The compounds you have measured, with their labels: CSV, TSV, SDF or Parquet.",
    ),
    click.option(
        "--support-smiles-column", metavar="NAME", help="Where the support file has its SMILES."
    ),
    click.option(
        "--label-column",
        metavar="NAME",
        help="Where it has its labels: active/inactive, 1/0, or values with --threshold.",
    ),
    click.option(
        "--values",
        is_flag=True,
        help="Predict the values themselves: IC50 (nM), pIC50; bounds such as >10 uM are used too.",
    ),
    click.option(
        "--threshold",
        metavar="VALUE",
        help='Turns measured values into classes: 1000, "1 uM", 6. Needs --active.',
    ),
    click.option(
        "--active",
        type=click.Choice(["above", "below"]),
        help="The active side of --threshold: below for an IC50, above for a pIC50.",
    ),
    click.option(
        "--conflict",
        type=click.Choice(["drop", "error", "majority"]),
        default="drop",
        show_default=True,
        help="A compound labelled both ways: leave it out, stop, or take the majority.",
    ),
    click.option(
        "--learner-model",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Adapt this meta-trained model instead of the one that is shipped.",
    ),
    click.option(
        "--data-report",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="As JSON, what was done to each row of your data, and with which model.",
    ),
)

TARGET_FLAG = click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A model adapted already, by molmeta adapt; instead of --support.",
)


_MODEL_FLAGS = (
    click.option(
        "--memory/--no-memory",
        default=True,
        show_default=True,
        help="Whether the model may draw on what public assays said of compounds that it knows.",
    ),
    click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda."),
    click.option(
        "--threads",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="CPU threads of the model; more seldom help, as reading molecules takes longer.",
    ),
    click.option("--quiet", is_flag=True, help="No notes and no progress; errors are still told."),
)


def support_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags of SupportFlags."""
    return _with(_SUPPORT_FLAGS, function)


def model_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --memory/--no-memory, --device, --threads and --quiet."""
    return _with(_MODEL_FLAGS, function)


def _with(flags: Sequence[Callable[..., Any]], function: Callable[..., Any]) -> Callable[..., Any]:
    for add in reversed(flags):
        function = add(function)
    return function


def prepare_device(device: str, threads: int) -> str:
    """The device to compute on, with torch imported and set to `threads`."""
    # The garbage collector would walk all that torch sets up, several times: 0.2 s for nothing.
    gc.disable()
    import torch

    gc.freeze()
    gc.enable()
    from molmeta.device import pick_device

    torch.set_num_threads(threads)
    return str(pick_device(device))


def check_target_flags(model: Path | None, support: SupportFlags) -> None:
    """Refuse a call that names no target, or two."""
    if (model is None) == (support["support"] is None):
        raise click.UsageError(
            "Say what the target is: --support FILE with measured compounds, or --model FILE from "
            "molmeta adapt; one of the two."
        )
    given = [name for name, value in support.items() if value not in (None, False, "drop")]
    if model is not None and given:
        flag = given[0].replace("_", "-")
        raise click.UsageError(f"--{flag} goes with --support; --model has its support inside.")


def open_target(
    model: Path | None,
    flags: SupportFlags,
    *,
    encoding: str | None,
    allow_tiny: bool = False,
    memory: bool,
    device: str,
    quiet: bool,
) -> TargetModel:
    """The adapted model in a file, or the learner adapted to the support file; and its support."""
    from molmeta.target import TargetModel

    if model is not None:
        target = TargetModel.load(model, device=device, memory=memory)
    else:
        target = adapt_to_support(
            flags,
            encoding=encoding,
            allow_tiny=allow_tiny,
            memory=memory,
            device=device,
            quiet=quiet,
        )
    tell_about(target, quiet)
    return target


def adapt_to_support(
    flags: SupportFlags,
    *,
    encoding: str | None,
    allow_tiny: bool,
    memory: bool,
    device: str,
    quiet: bool,
) -> TargetModel:
    """The learner adapted to the support file; what the user should know goes to stderr."""
    support = read_support_file(flags, encoding=encoding, allow_tiny=allow_tiny, quiet=quiet)
    target = adapt_learner(flags, support, memory=memory, device=device)
    if flags["data_report"] is not None:
        from molmeta.report.data import data_document, write_data_report

        write_data_report(flags["data_report"], data_document(target, support))
    return target


def read_support_file(
    flags: SupportFlags, *, encoding: str | None, allow_tiny: bool, quiet: bool
) -> SupportSet | MeasuredSupport:
    """What was measured; what the user should know of it goes to stderr."""
    from molmeta.assays.measured_support import read_measured_support
    from molmeta.assays.support import read_support
    from molmeta.assays.tables import open_table

    assert flags["support"] is not None
    if flags["values"] and (flags["threshold"] or flags["active"] or flags["conflict"] != "drop"):
        raise click.UsageError(
            "--values predicts values and needs no class: leave --threshold, --active and "
            "--conflict out."
        )
    if flags["values"] and allow_tiny:
        raise click.UsageError("--allow-tiny ranks by actives alone; --values has no actives.")
    with open_table(
        flags["support"], smiles_column=flags["support_smiles_column"], encoding=encoding
    ) as table:
        support: SupportSet | MeasuredSupport
        if flags["values"]:
            support = read_measured_support(table, value_column=flags["label_column"])
        else:
            support = read_support(
                table,
                label_column=flags["label_column"],
                threshold=flags["threshold"],
                active=flags["active"],
                conflict=flags["conflict"],
                allow_tiny=allow_tiny,
            )
    for note in support.notes:
        tell(f"Support: {note}", quiet)
    return support


def adapt_learner(
    flags: SupportFlags, support: SupportSet | MeasuredSupport, *, memory: bool, device: str
) -> TargetModel:
    """The learner that the flags name, or the shipped one, adapted to the support."""
    from molmeta.checkpoint import load_checkpoint, shipped_model_path
    from molmeta.target import adapt_target

    path = flags["learner_model"] or shipped_model_path()
    checkpoint = load_checkpoint(path, device=device, memory=memory)
    return adapt_target(checkpoint, support)


def tell_about(target: TargetModel, quiet: bool) -> None:
    """The support in a sentence, and what meta-training knew of it."""
    n = len(target.support)
    parts = (
        f"{n - target.n_bounds} measured and {target.n_bounds} with a bound only"
        if target.predicts_values
        else f"{target.n_active} active and {n - target.n_active} inactive"
    )
    tell(f"Support: {counted(n, 'compound')}, {parts}.", quiet)
    if not target.predicts_values and not target.has_both_classes:
        tell(
            "There are only actives: compounds are ranked by their similarity to the nearest one, "
            "and no probability is given.",
            quiet,
        )
    if target.n_support_seen:
        used = (
            "it uses what they said of them (--no-memory switches that off)"
            if target.checkpoint.learner.memory is not None
            else "if your assay is one of them, scores look better than they are"
        )
        tell(
            f"Known: {target.n_support_seen} of the {n} support compounds occur in the public "
            f"assays that the model was trained on; {used}.",
            quiet,
        )
