"""`molmeta leaks`: which molecules and assays folds share, and which a model has seen."""

from __future__ import annotations

from pathlib import Path

import click

from molmeta_cli.flags import FEATURISERS_FLAG


@click.command(
    epilog="\b\nExample: molmeta leaks --assays train.parquet --assays valid.parquet "
    "--model runs/protonet/model.molmeta"
)
@click.option(
    "--assays",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="A fold: a Parquet file or a folder of them, with assay_id, smiles, label; may be "
    "repeated.",
)
@click.option(
    "--model",
    "models",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A model; it keeps keys of the molecules it was trained on. May be repeated.",
)
@FEATURISERS_FLAG
def command(assays: tuple[Path, ...], models: tuple[Path, ...], workers: int | None) -> None:
    """Print what each fold shares with each other one, and what each model has seen of it.

    Molecules are compared as molmeta reads them, and once more without stereo. Assays are the same
    by their id, or by having the same molecules with the same labels.
    """
    given = [*map(str, assays), *map(str, models)]
    if len(given) < 2:
        raise click.UsageError("Give two folds to compare, or a fold and a --model.")
    if again := [name for name in given if given.count(name) > 1]:
        raise click.UsageError(f"{again[0]} is given twice.")
    from molmeta.assays.leakage import leaks_between, table_of_leaks
    from molmeta.assays.store import open_store
    from molmeta.checkpoint import load_checkpoint

    seen = {str(path): load_checkpoint(path).seen_keys for path in models}
    folds = {str(path): open_store(path, workers) for path in assays}
    click.echo(table_of_leaks(leaks_between(folds, seen, stereo=len(folds) > 1)))
