"""The flags that several commands share, each written once, and what they hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, TypedDict

import click

Flag = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Put before a command, it adds one option or several."""


class SupportFlags(TypedDict):
    """What was measured on the target, and where to read it."""

    support: str | None
    support_smiles_column: str | None
    label_column: str | None
    values: bool
    threshold: str | None
    active: Literal["above", "below"] | None
    conflict: Literal["drop", "error", "majority"]
    learner_model: Path | None
    data_report: Path | None


class AdaptFlags(SupportFlags):
    """That, how its file is written, and how the model computes."""

    encoding: str | None
    memory: bool
    device: str
    threads: int
    quiet: bool


class TargetFlags(AdaptFlags):
    """A target: that, or a model which was adapted before."""

    model: Path | None
    allow_tiny: bool


class TableFlags(TypedDict):
    """How a table of compounds is written, and whether to tell of it."""

    smiles_column: str | None
    no_header: bool
    encoding: str | None
    quiet: bool


class LibraryFlags(TargetFlags):
    """A target, and how tables of compounds are read and written."""

    smiles_column: str | None
    no_header: bool
    escape_formulas: bool
    overwrite: bool


def _together(*flags: Flag) -> Flag:
    """Flags that are told of in this order."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for flag in reversed(flags):
            function = flag(function)
        return function

    return add


LEARNER_MODEL_FLAG: Final[Flag] = click.option(
    "--learner-model",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Adapt this meta-trained model instead of the one that is shipped.",
)

support_flags: Final = _together(
    click.option(
        "--support",
        type=click.Path(),
        metavar="FILE",
        help="The compounds you have measured, with their labels: CSV, TSV, SDF or Parquet.",
    ),
    click.option(
        "--support-smiles-column", metavar="NAME", help="Where the support file has its SMILES."
    ),
    click.option(
        "--label-column",
        metavar="NAME",
        help="Where it has its labels: active/inactive, 1/0, or values with --threshold.",
    ),
    click.option(
        "--values",
        is_flag=True,
        help="Predict the values themselves: IC50 (nM), pIC50; bounds such as >10 uM are used too.",
    ),
    click.option(
        "--threshold",
        metavar="VALUE",
        help='Turns measured values into classes: 1000, "1 uM", 6. Needs --active.',
    ),
    click.option(
        "--active",
        type=click.Choice(["above", "below"]),
        help="The active side of --threshold: below for an IC50, above for a pIC50.",
    ),
    click.option(
        "--conflict",
        type=click.Choice(["drop", "error", "majority"]),
        default="drop",
        show_default=True,
        help="A compound labelled both ways: leave it out, stop, or take the majority.",
    ),
    LEARNER_MODEL_FLAG,
    click.option(
        "--data-report",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="As JSON, what was done to each row of your data, and with which model.",
    ),
)
"""Those of SupportFlags."""

target_flags: Final = _together(
    support_flags,
    click.option(
        "--allow-tiny", is_flag=True, help="With actives alone, rank by similarity to them instead."
    ),
    click.option(
        "--model",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A model adapted already, by molmeta adapt; instead of --support.",
    ),
)
"""The same, --allow-tiny and --model."""


def smiles_flag(*, required: bool = False) -> Flag:
    """`--smiles`, as often as there are compounds."""
    return click.option(
        "--smiles",
        multiple=True,
        required=required,
        metavar="TEXT",
        help="A compound; may be repeated.",
    )


def input_flag(*, required: bool = False) -> Flag:
    """`--input`, a library."""
    return click.option(
        "--input",
        "input_path",
        type=click.Path(),
        required=required,
        metavar="FILE",
        help="Compounds: CSV, TSV, SMI, SDF or Parquet, also packed with gzip or zstd; - for "
        "stdin.",
    )


ENCODING_FLAG: Final[Flag] = click.option(
    "--encoding",
    metavar="NAME",
    help="Of text files that are not UTF-8 or UTF-16, such as latin-1 or cp1252.",
)


def table_flags(table: str) -> Flag:
    """--smiles-column, --no-header and --encoding of what a command calls its `table`."""
    return _together(
        click.option("--smiles-column", metavar="NAME", help=f"Where the {table} has its SMILES."),
        click.option(
            "--no-header",
            is_flag=True,
            help=f"The {table}'s first line is a compound already.",
        ),
        ENCODING_FLAG,
    )


ROWS_FLAG: Final[Flag] = click.option(
    "--output",
    type=click.Path(),
    metavar="FILE",
    help="CSV, TSV, SMI, SDF or Parquet, told from the name, also .gz or .zst. Default: a table on "
    "a terminal, else CSV.",
)

ESCAPE_FLAG: Final[Flag] = click.option(
    "--escape-formulas",
    is_flag=True,
    help="In CSV and TSV, put ' before cells that a spreadsheet would run as formulas.",
)

OVERWRITE_FLAG: Final[Flag] = click.option(
    "--overwrite", is_flag=True, help="Replace files that exist already."
)

DEVICE_FLAG: Final[Flag] = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu or cuda."
)

QUIET_FLAG: Final[Flag] = click.option(
    "--quiet", is_flag=True, help="No notes and no progress; errors are still told."
)

model_flags: Final = _together(
    click.option(
        "--memory/--no-memory",
        default=True,
        show_default=True,
        help="Whether the model may draw on what public assays said of compounds that it knows.",
    ),
    DEVICE_FLAG,
    click.option(
        "--threads",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="CPU threads of the model; more seldom help, as reading molecules takes longer.",
    ),
    QUIET_FLAG,
)
"""--memory/--no-memory, --device, --threads and --quiet."""

training_flags: Final = _together(
    DEVICE_FLAG,
    click.option(
        "--threads", type=click.IntRange(min=1), help="CPU threads; torch's choice if not given."
    ),
)
"""--device and --threads where all cores should compute."""

FEATURISERS_FLAG: Final[Flag] = click.option(
    "--workers", type=click.IntRange(min=1), help="Processes that featurise; all cores."
)

worker_flags: Final = _together(
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Processes. From 2 on, a molecule that ends one or hangs costs its row alone.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="With --workers: how long one molecule may take.  [default: 10]",
    ),
)
"""--workers and --timeout."""


def check_timeout(timeout: float | None, workers: int) -> None:
    """Refuse a --timeout that nobody would keep."""
    if timeout is not None and workers == 1:
        raise click.UsageError("--timeout needs --workers 2 or more: it ends a process.")
