"""`molmeta check`: whether the model can be trusted on the user's own compounds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Unpack

import click

from molmeta_cli.adaptation import adapt_to_support, prepare_device
from molmeta_cli.console import TerminalTable
from molmeta_cli.flags import ENCODING_FLAG, AdaptFlags, model_flags, support_flags

if TYPE_CHECKING:
    from molmeta.evaluation.check import SelfCheck


@click.command(epilog="\b\nExample: molmeta check --support my_assay.csv")
@support_flags
@ENCODING_FLAG
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON, for programs.")
@model_flags
def command(as_json: bool, **flags: Unpack[AdaptFlags]) -> None:
    """Say whether to use the model for your target: hold your own compounds out, and compare.

    Parts of --support are held out in turn and judged by the model adapted to the rest, and by
    three simple methods on the same splits. ROC-AUC is the chance that an active ranks above an
    inactive (0.5 is a coin), with the interval that holds the truth in 19 cases of 20; delta-AUPRC
    is the average precision beyond a random order.

    The verdict: "do not use" where the model may be no better than chance, "no better than
    similarity search" where a simple method ranks better, else "use it".
    """
    if flags["support"] is None:
        raise click.UsageError("Say what you have measured: --support FILE.")
    if flags["values"]:
        raise click.UsageError(
            "A check judges classes, not --values: give --threshold and --active instead."
        )
    target = adapt_to_support(flags, prepare_device(flags["device"], flags["threads"]))
    from molmeta.evaluation.check import check_target

    check = check_target(target)
    if as_json:
        click.echo(json.dumps(asdict(check), indent=2))
        return
    _show(check)


def _show(check: SelfCheck) -> None:
    from molmeta.evaluation.check import WITHOUT_MEMORY

    table = TerminalTable(("method", "ROC-AUC", "95% interval", "delta-AUPRC"))
    for one in check.methods:
        auc = one.roc_auc
        interval = f"{auc.low:.2f} to {auc.high:.2f}"
        table.write((one.method, f"{auc.value:.2f}", interval, f"{one.delta_auprc:+.2f}"))
    table.finish()
    gap = check.difference
    click.echo(
        f"\nROC-AUC minus that of {check.best_baseline}: {gap.value:+.2f} "
        f"({gap.low:+.2f} to {gap.high:+.2f})\n\nVerdict: {check.verdict}\n{check.reason}"
    )
    if check.n_seen:
        n = check.n_active + check.n_inactive
        seen = f"{check.n_seen} of your {n} compounds ({check.n_seen / n:.0%})"
        limit = f", at most what the line '{WITHOUT_MEMORY}' says" if check.n_known else ""
        click.echo(
            f"\nWarning: {seen} occur in the public assays that the model was trained on, and "
            f"known compounds flatter: expect less of new ones{limit}."
        )
