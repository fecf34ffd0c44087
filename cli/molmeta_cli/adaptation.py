"""From the flags of a target to a model adapted to it."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from molmeta_cli.console import counted, tell
from molmeta_cli.flags import AdaptFlags, SupportFlags, TargetFlags

if TYPE_CHECKING:
    import torch

    from molmeta.assays.measured_support import MeasuredSupport
    from molmeta.assays.support import SupportSet
    from molmeta.target import TargetModel


def prepare_device(device: str, threads: int | None) -> torch.device:
    """The device to compute on, with torch imported and set to `threads`, or to its own choice."""
    # The garbage collector would walk all that torch sets up, several times: 0.2 s for nothing.
    gc.disable()
    import torch

    gc.freeze()
    gc.enable()
    from molmeta.device import pick_device

    if threads is not None:
        torch.set_num_threads(threads)
    return pick_device(device)


def check_target_flags(flags: TargetFlags, input_path: str | None = None) -> None:
    """Refuse a call that names no target, or two, or reads stdin twice."""
    model = flags["model"]
    if (model is None) == (flags["support"] is None):
        raise click.UsageError(
            "Say what the target is: --support FILE with measured compounds, or --model FILE from "
            "molmeta adapt; one of the two."
        )
    values: Mapping[str, object] = flags
    of_support = (*SupportFlags.__annotations__, "allow_tiny")
    given = [name for name in of_support if values[name] not in (None, False, "drop")]
    if model is not None and given:
        flag = given[0].replace("_", "-")
        raise click.UsageError(f"--{flag} goes with --support; --model has its support inside.")
    if input_path == "-" and flags["support"] == "-":
        raise click.UsageError("--input and --support cannot both be read from stdin.")


def files_read(flags: TargetFlags, *others: Path | str | None) -> list[Path | str]:
    """The target's files and others, none of which may be an output."""
    paths = (*others, flags["support"], flags["model"])
    return [path for path in paths if path is not None]


def open_target(flags: TargetFlags, device: torch.device) -> TargetModel:
    """The adapted model in a file, or the learner adapted to the support file; and its support."""
    from molmeta.target import TargetModel

    if flags["model"] is None:
        return adapt_to_support(flags, device, allow_tiny=flags["allow_tiny"])
    target = TargetModel.load(flags["model"], device=device, memory=flags["memory"])
    tell_about(target, flags["quiet"])
    return target


def adapt_to_support(
    flags: AdaptFlags, device: torch.device, *, allow_tiny: bool = False
) -> TargetModel:
    """The learner adapted to the support file; what the user should know goes to stderr."""
    support = read_support_file(flags, allow_tiny=allow_tiny)
    target = adapt_learner(flags, support, device)
    if flags["data_report"] is not None:
        from molmeta.report.data import data_document, write_data_report

        write_data_report(flags["data_report"], data_document(target, support))
    tell_about(target, flags["quiet"])
    return target


def read_support_file(
    flags: AdaptFlags, *, allow_tiny: bool = False
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
        flags["support"], smiles_column=flags["support_smiles_column"], encoding=flags["encoding"]
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
        tell(f"Support: {note}", flags["quiet"])
    return support


def adapt_learner(
    flags: AdaptFlags, support: SupportSet | MeasuredSupport, device: torch.device
) -> TargetModel:
    """The learner that the flags name, or the shipped one, adapted to the support."""
    from molmeta.checkpoint import load_checkpoint, shipped_model_path
    from molmeta.target import adapt_target

    path = flags["learner_model"] or shipped_model_path()
    checkpoint = load_checkpoint(path, device=device, memory=flags["memory"])
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
