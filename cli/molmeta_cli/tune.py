"""`molmeta tune`: search the settings that a meta-trained learner adapts with."""

from __future__ import annotations

from pathlib import Path

import click

from molmeta_cli.adaptation import prepare_device
from molmeta_cli.flags import FEATURISERS_FLAG, OVERWRITE_FLAG, training_flags


@click.command(
    epilog="\b\nExample: molmeta tune --model runs/maml/model.molmeta --assays valid.parquet "
    "--trials 100 --output tuned.molmeta"
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    required=True,
    help="A meta-trained model; its weights stay as they are.",
)
@click.option(
    "--assays",
    type=click.Path(path_type=Path),
    required=True,
    help="Assays that the model was not trained on: a Parquet file or a folder of them.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="The model with the best settings.",
)
@click.option(
    "--storage",
    help="Where the study is kept: journal:PATH or a data base's URL such as sqlite:///PATH. "
    "Default: OUTPUT.journal. Started again, or in several processes at once, the command goes on "
    "with the study there.",
)
@click.option("--study", default="molmeta", show_default=True, help="Name of the study.")
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Of the whole study, earlier starts included.",
)
@click.option(
    "--support-size",
    "support_sizes",
    type=click.IntRange(min=2),
    multiple=True,
    default=(16, 64),
    show_default=True,
    help="Total of the support; may be repeated.",
)
@click.option(
    "--runs", type=click.IntRange(1, 10), default=5, show_default=True, help="Draws a task."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@OVERWRITE_FLAG
@training_flags
@FEATURISERS_FLAG
def command(
    model: Path,
    assays: Path,
    output: Path,
    storage: str | None,
    study: str,
    trials: int,
    support_sizes: tuple[int, ...],
    runs: int,
    seed: int,
    overwrite: bool,
    device: str,
    threads: int | None,
    workers: int | None,
) -> None:
    """Search settings with a better mean ΔAUPRC on ASSAYS; print each as `name before -> after`."""
    import dataclasses

    from molmeta.assays.store import open_store
    from molmeta.checkpoint import load_checkpoint, save_checkpoint
    from molmeta.errors import OutputError
    from molmeta.training.tuning import TuningConfig, measure, tune

    if output.exists() and not overwrite:
        raise OutputError(f"{output} exists already; name another file, or give --overwrite.")
    if not output.parent.is_dir():
        raise OutputError(f"{output} cannot be written: there is no folder {output.parent}.")
    chosen = prepare_device(device, threads)
    checkpoint = load_checkpoint(model, device=chosen)
    store = open_store(assays, workers).to(chosen)
    config = TuningConfig(trials=trials, support_sizes=support_sizes, runs=runs, seed=seed)
    tuned = tune(
        checkpoint.learner,
        store,
        config,
        model_sha256=checkpoint.sha256,
        storage=storage or f"journal:{output}.journal",
        study_name=study,
    )
    metrics = measure(checkpoint.learner, store, config)
    # What was measured before was measured with other settings.
    save_checkpoint(output, dataclasses.replace(checkpoint, metrics=metrics), overwrite=overwrite)
    for name, before in tuned.before.items():
        click.echo(f"{name}  {before} -> {tuned.settings[name]}")
    click.echo(f"mean ΔAUPRC  {tuned.score_before:.4f} -> {tuned.score:.4f}")
