"""The HTML report of results that are there already: `python -m benchmarks.report --help`."""

from __future__ import annotations

from pathlib import Path

import click
from molmeta_cli.main import exit_codes

from molmeta.evaluation.html_report import write_html_report


@click.command("python -m benchmarks.report")
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The page to write.")
@click.option(
    "--published",
    type=click.Path(path_type=Path),
    help="Parquet of published results: method, task, support_size, delta_auprc_mean (r2_os_mean "
    "for values).",
)
@click.option(
    "--strata",
    type=click.Path(path_type=Path),
    help="Parquet with the stratum of each assay: assay_id, stratum. Default: as in RESULTS.",
)
def main(results: Path, output: Path, published: Path | None, strata: Path | None) -> None:
    """Draw the RESULTS folder of `molmeta benchmark --output` as one HTML page."""
    with exit_codes(click.get_current_context()):
        write_html_report(output, results, published=published, strata=strata)
    click.echo(f"{output}: {output.stat().st_size / 1e3:.0f} kB", err=True)


if __name__ == "__main__":
    main()
