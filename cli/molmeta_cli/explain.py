"""`molmeta explain`: what a score is made of, support compound by support compound."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Final, Unpack

import click

from molmeta_cli.adaptation import check_target_flags, files_read, open_target, prepare_device
from molmeta_cli.console import TerminalTable, counted
from molmeta_cli.flags import (
    ENCODING_FLAG,
    OVERWRITE_FLAG,
    TargetFlags,
    model_flags,
    smiles_flag,
    target_flags,
)

if TYPE_CHECKING:
    from molmeta.explanation.explain import Explanation, SupportShare
    from molmeta.target import TargetModel

_FORMS: Final = (".json", ".svg")

_METHODS: Final = {
    "exact": "Shares above 0 raise the score. All parts add up to it.",
    "left out": "A share is the score minus that of the model adapted without the compound; "
    "shares do not add up.",
    "nearest": "With actives alone, the score is the similarity to the nearest of them.",
}
"""`Method` -> how to read the shares."""


@click.command(epilog='\b\nExample: molmeta explain --support my_assay.csv --smiles "CCOc1ccccc1"')
@target_flags
@smiles_flag(required=True)
@ENCODING_FLAG
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="All of it as .json, or one compound drawn as .svg, its atoms coloured.",
)
@OVERWRITE_FLAG
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="K",
    help="Show the K support compounds with the largest shares.",
)
@model_flags
def command(
    smiles: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    top: int,
    **flags: Unpack[TargetFlags],
) -> None:
    """Say why a compound has its score.

    The score (log odds of being active, or the value) is a sum: what no single support compound
    brings, and a signed share of each support compound, above 0 where it raises the score. For
    methods that are no such sum, a share is the score minus that without the compound.

    The drawing colours the atoms: blue raises the score, orange lowers it. It is of the model
    without its compound memory, which knows whole compounds and nothing of atoms.
    """
    check_target_flags(flags)
    _check_output(output, len(smiles))
    device = prepare_device(flags["device"], flags["threads"])
    from molmeta.assays.outputs import write_whole
    from molmeta.explanation.explain import explain

    target = open_target(flags, device)
    explanations = explain(target, smiles, atoms=output is not None)
    if output is None:
        for place, explanation in enumerate(explanations):
            click.echo("\n" if place else "", nl=False)
            _show(explanation, target, top)
        return
    if output.suffix.lower() == ".svg":
        text = explanations[0].svg()
    else:
        documents = [explanation.document() for explanation in explanations]
        text = json.dumps(documents, indent=2, allow_nan=False)
    write_whole(output, text + "\n", overwrite=overwrite, inputs=files_read(flags))


def _check_output(output: Path | None, n_compounds: int) -> None:
    if output is None:
        return
    if output.suffix.lower() not in _FORMS:
        raise click.UsageError(f"--output is a file of {' or '.join(_FORMS)}, not {output.name}.")
    if output.suffix.lower() == ".svg" and n_compounds > 1:
        raise click.UsageError("A .svg draws one compound: give one --smiles, or write .json.")


def _show(explanation: Explanation, target: TargetModel, top: int) -> None:
    scored = explanation.scored
    click.echo(scored.smiles or "(no structure)")
    if not scored.is_usable:
        click.echo(f"No score: {scored.status}, {scored.reason}")
        return
    click.echo(_answer(explanation, target))
    if scored.reason:
        click.echo(f"{scored.status}: {scored.reason}")
    if scored.in_support:
        click.echo("It is a support compound: the model was given its label.")
    if explanation.base:
        _show_sum(explanation)
    click.echo("")
    _show_support(explanation, target, top)


def _show_sum(explanation: Explanation) -> None:
    from molmeta.explanation.support import MEANING

    click.echo("")
    table = TerminalTable(("part", "share", "what it is"))
    for name, part in explanation.base.items():
        table.write((name, _signed(part), MEANING[name]))
    shares = [one.share for one in explanation.support]
    raising = sum(share > 0 for share in shares)
    name = f"{counted(len(shares), 'support compound')}, {raising} raising"
    table.write((name, _signed(sum(shares)), "what you measured, told below"))
    table.write(("together", _signed(explanation.total), ""))
    table.finish()


def _answer(explanation: Explanation, target: TargetModel) -> str:
    scored = explanation.scored
    near = f"similarity {scored.similarity:.2f} to the nearest support compound"
    if scored.value is not None:
        return f"value {scored.value:.2f} ({scored.low:.2f} to {scored.high:.2f}), {near}"
    if scored.logit is not None:
        reach = f"({scored.low:.2f} to {scored.high:.2f})"
        return f"probability {scored.probability:.2f} {reach}, log odds {scored.logit:+.2f}, {near}"
    return near


def _show_support(explanation: Explanation, target: TargetModel, top: int) -> None:
    names = list(explanation.support[0].by_kernel)
    table = TerminalTable(("support compound", "label", "similarity", "share", *names))
    for one in explanation.support[:top]:
        parts = (_signed(one.by_kernel[name]) for name in names)
        table.write(
            (
                one.smiles,
                _label(one, target.predicts_values),
                f"{one.similarity:.2f}",
                _signed(one.share) if math.isfinite(one.share) else "",
                *parts,
            )
        )
    table.finish()
    rest = explanation.support[top:]
    if rest:
        together = f", together {_signed(sum(one.share for one in rest))}" if names else ""
        click.echo(f"and {counted(len(rest), 'compound')} more{together}")
    assert explanation.method is not None
    click.echo(f"\n{_METHODS[explanation.method]}")


def _signed(share: float) -> str:
    """With two digits; what rounds to nothing has no minus."""
    return f"{round(share, 2) + 0.0:+.2f}"


def _label(one: SupportShare, values: bool) -> str:
    if not values:
        return "active" if one.label else "inactive"
    return f"{('', '>', '<')[one.relation]}{one.label:.2f}"
