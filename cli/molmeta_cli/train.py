"""`molmeta train`: meta-train a learner on a folder of assays."""

from __future__ import annotations

from pathlib import Path

import click

from molmeta_cli.adaptation import prepare_device
from molmeta_cli.console import tell
from molmeta_cli.flags import FEATURISERS_FLAG, training_flags


@click.command(
    epilog="\b\nExample: molmeta train --data train.parquet --valid valid.parquet "
    "--config benchmarks/configs/protonet.toml --output runs/protonet"
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Meta-train assays: a Parquet file or a folder of them, with assay_id, smiles, label.",
)
@click.option(
    "--valid",
    "folds",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Meta-valid assays; the weights that do best on them are kept. May be repeated: each "
    "file is measured by itself.",
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    required=True,
    help="Settings in TOML; benchmarks/configs has some to start from.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of the run. A run that was stopped goes on from there.",
)
@click.option(
    "--name", default="unnamed data", help="Name of the training data, kept in the model."
)
@click.option(
    "--licence", default="unknown", help="Licence of the training data, kept in the model."
)
@click.option(
    "--allow-overlap",
    is_flag=True,
    help="Train although meta-valid has assays of meta-train: its scores will flatter.",
)
@training_flags
@FEATURISERS_FLAG
def command(
    data: Path,
    folds: tuple[Path, ...],
    config_path: Path,
    output: Path,
    name: str,
    licence: str,
    allow_overlap: bool,
    device: str,
    threads: int | None,
    workers: int | None,
) -> None:
    """Meta-train a learner over many assays; the result is OUTPUT/model.molmeta."""
    from molmeta.assays.store import join_stores, open_store
    from molmeta.errors import ConfigError
    from molmeta.training.config import read_config
    from molmeta.training.outer_loop import train
    from molmeta.training.parallel import leads_group
    from molmeta.training.publish import publish

    config = read_config(config_path)
    chosen = prepare_device(device, threads)
    store = open_store(data, workers).to(chosen)
    valid = {path.stem: open_store(path, workers).to(chosen) for path in folds}
    if len(valid) < len(folds):
        raise ConfigError("Files of --valid need names that differ: the measures go by them.")
    held_out = join_stores(list(valid.values())) if valid else None
    learner = train(config, store, held_out, output, chosen, allow_overlap=allow_overlap, tell=tell)
    if not leads_group():
        return
    model = publish(learner, config, store, valid, output, data_name=name, licence=licence)
    click.echo(str(model))
