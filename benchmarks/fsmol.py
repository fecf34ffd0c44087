"""The FS-Mol table of benchmarks/README.md: `python -m benchmarks.fsmol --help`."""

from __future__ import annotations

from pathlib import Path

import click
import torch
from molmeta_cli.main import exit_codes

from molmeta.checkpoint import shipped_model_path
from molmeta.evaluation.benchmark import BASELINES, load_methods, run_benchmark
from molmeta.evaluation.protocol import SUPPORT_SIZES
from molmeta.evaluation.report import make_folder


@click.command("python -m benchmarks.fsmol")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of what data_recipes.fsmol and data_recipes.novel made: valid.parquet and so on.",
)
@click.option(
    "--fold",
    type=click.Choice(["valid", "novel", "test"]),
    default="valid",
    show_default=True,
    help="Everything is chosen on valid and novel; test is for those who have it, once.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="Folder for the results."
)
@click.option(
    "--model",
    "models",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A meta-trained model; may be repeated. Default: the shipped one.",
)
@click.option("--strata", type=click.Path(path_type=Path), help="As for molmeta benchmark.")
@click.option("--compare", type=click.Path(path_type=Path), help="As for molmeta benchmark.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True)
@click.pass_context
def main(
    ctx: click.Context,
    data: Path,
    fold: str,
    output: Path,
    models: tuple[Path, ...],
    strata: Path | None,
    compare: Path | None,
    workers: int,
) -> None:
    """Measure models, with and without their memory, and all baselines on one fold of FS-Mol.

    All ten official draws at all support sizes; the results with every prediction go into OUTPUT,
    and the tables to the terminal.
    """
    torch.set_num_threads(1)
    with exit_codes(ctx):
        named = {str(path): path for path in models} or {"shipped": shipped_model_path()}
        methods = load_methods(named, BASELINES, memories=(True, False))
        make_folder(output)
        results = run_benchmark(
            data / f"{fold}.parquet",
            methods,
            support_sizes=SUPPORT_SIZES,
            runs=range(10),
            strata=strata,
            published=compare,
            workers=workers,
        )
        results.write(output, {"protocol": "fsmol", "fold": fold}, keep_predictions=True)
        click.echo(results.tables())


if __name__ == "__main__":
    main()
