"""`molmeta benchmark`: measure models and baselines on assays, by a published protocol."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    epilog="Example: molmeta benchmark --assays valid.parquet --protocol fsmol "
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
    help="A meta-trained model; may be repeated. Default: the shipped one.",
)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    help="A method without meta-training: random_forest, knn, tanimoto_gp; may be repeated.",
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
    "--output", type=click.Path(path_type=Path), help="Folder for draws.parquet and summary.json."
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option(
    "--threads", type=click.IntRange(min=1), help="CPU threads; torch's choice if not given."
)
def command(
    assays: Path,
    protocol: str,
    support_sizes: tuple[int, ...],
    models: tuple[Path, ...],
    baselines: tuple[str, ...],
    memory: bool,
    runs: int,
    output: Path | None,
    device: str,
    threads: int | None,
) -> None:
    """Print the mean ΔAUPRC ± its standard error over tasks, at each support size."""
    import torch
    from tqdm import tqdm

    from molmeta.assays.store import open_store
    from molmeta.checkpoint import load_checkpoint, shipped_model_path
    from molmeta.device import pick_device
    from molmeta.encoders.config import EncoderConfig
    from molmeta.errors import ConfigError
    from molmeta.evaluation.protocol import SUPPORT_SIZES, run_protocol
    from molmeta.evaluation.report import table_of, write_results
    from molmeta.learners.base import Learner
    from molmeta.learners.registry import LEARNERS

    without_training = {name: kind for name, kind in LEARNERS.items() if not kind.trainable}
    if unknown := [name for name in baselines if name not in without_training]:
        known = ", ".join(without_training)
        raise ConfigError(f"There is no baseline {unknown[0]!r}; known are {known}.")
    chosen = pick_device(device)
    if threads:
        torch.set_num_threads(threads)
    learners: dict[str, Learner] = {}
    for name in baselines:
        kind = without_training[name]
        learners[name] = kind(EncoderConfig(), kind.Config())
    if not models and not baselines:
        checkpoint = load_checkpoint(shipped_model_path(), device=chosen, memory=memory)
        learners["shipped"] = checkpoint.learner
    for path in models:
        # By its whole path: every run calls its model model.molmeta.
        learners[str(path)] = load_checkpoint(path, device=chosen, memory=memory).learner
    store = open_store(assays).to(chosen)
    results = {}
    for name, learner in learners.items():
        tasks = run_protocol(learner, store, support_sizes or SUPPORT_SIZES, range(runs))
        progress = tqdm(tasks, desc=name, total=len(store), unit="task", disable=None)
        results[name] = [draw for task in progress for draw in task]
    if output:
        about = {
            "protocol": protocol,
            "assays_sha256": store.sha256,
            "runs": runs,
            "memory": memory,
        }
        write_results(output, results, about)
    click.echo(table_of(results))
