"""`molmeta benchmark`: measure models and baselines on assays, by a published protocol."""

from __future__ import annotations

from pathlib import Path

import click

from molmeta_cli.adaptation import prepare_device
from molmeta_cli.flags import training_flags


@click.command(
    epilog="\b\nExample: molmeta benchmark --assays valid.parquet --protocol fsmol "
    "--support-size 16 --support-size 64 --baseline random_forest --output results/"
)
@click.option(
    "--assays",
    type=click.Path(path_type=Path),
    required=True,
    help="A Parquet file or a folder of them, with assay_id, smiles, label.",
)
@click.option(
    "--protocol",
    type=click.Choice(["fsmol"]),
    default="fsmol",
    show_default=True,
    help="How support and query are drawn; fsmol: ten stratified draws a task.",
)
@click.option(
    "--support-size",
    "support_sizes",
    type=click.IntRange(min=2),
    multiple=True,
    help="Total of the support; may be repeated. Default: 16, 32, 64, 128, 256.",
)
@click.option(
    "--model",
    "models",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A meta-trained model; may be repeated. Default: the shipped one, if there is no "
    "--baseline.",
)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    help="A method without meta-training: random_forest, knn, tanimoto_knn, logistic_regression, "
    "tanimoto_gp; may be repeated.",
)
@click.option(
    "--memory/--no-memory",
    default=True,
    show_default=True,
    help="Whether models may draw on what their meta-training assays said of known compounds.",
)
@click.option(
    "--runs", type=click.IntRange(1, 10), default=10, show_default=True, help="Draws a task."
)
@click.option(
    "--values",
    is_flag=True,
    help="Predict values in place of classes, on the assays that have a log_value in every row; "
    "prints R² out of sample and the coverage of 90 % intervals.",
)
@click.option(
    "--strata",
    type=click.Path(path_type=Path),
    help="Parquet with the stratum of each assay: assay_id, stratum. Default: by the share of its "
    "molecules that the models were meta-trained on.",
)
@click.option(
    "--train-assays",
    type=click.Path(path_type=Path),
    help="Assays whose molecules count as known for the strata, beside those of the models.",
)
@click.option(
    "--compare",
    "published",
    type=click.Path(path_type=Path),
    help="Parquet of published results to compare with, assay by assay: method, task, "
    "support_size, delta_auprc_mean (r2_os_mean with --values).",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for draws.parquet, summary.json, strata.parquet and comparison.parquet.",
)
@click.option(
    "--predictions", is_flag=True, help="Keep every prediction in predictions.parquet of --output."
)
@training_flags
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that share the assays, each with one thread.",
)
def command(
    assays: Path,
    protocol: str,
    support_sizes: tuple[int, ...],
    models: tuple[Path, ...],
    baselines: tuple[str, ...],
    memory: bool,
    runs: int,
    values: bool,
    strata: Path | None,
    train_assays: Path | None,
    published: Path | None,
    output: Path | None,
    predictions: bool,
    device: str,
    threads: int | None,
    workers: int,
) -> None:
    """Print the mean ΔAUPRC (or R²) ± its standard error over assays, at each support size."""
    from molmeta.checkpoint import shipped_model_path
    from molmeta.errors import ConfigError
    from molmeta.evaluation.benchmark import load_methods, run_benchmark
    from molmeta.evaluation.protocol import SUPPORT_SIZES
    from molmeta.evaluation.report import make_folder

    if predictions and output is None:
        raise ConfigError("--predictions needs the folder to keep them in: add --output.")
    chosen = prepare_device(device, threads)
    # By its whole path: every run calls its model model.molmeta.
    named = {str(path): path for path in models}
    if not models and not baselines:
        named["shipped"] = shipped_model_path()
    methods = load_methods(named, baselines, memories=(memory,), device=chosen)
    if output:
        make_folder(output)
    results = run_benchmark(
        assays,
        methods,
        support_sizes=support_sizes or SUPPORT_SIZES,
        runs=range(runs),
        strata=strata,
        train_assays=train_assays,
        published=published,
        device=chosen,
        workers=workers,
        values=values,
    )
    if output:
        about = {"protocol": protocol, "values": values, "runs": runs, "memory": memory}
        results.write(output, about, keep_predictions=predictions)
    click.echo(results.tables())
