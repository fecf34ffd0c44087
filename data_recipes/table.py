"""A user's own measurements to assays: `python -m data_recipes.table --help`.

Cells are read by the grammar of `molmeta adapt`. Values become classes at a stated threshold, or
by the rule of FS-Mol (`data_recipes.measured`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from molmeta_cli.flags import ENCODING_FLAG

from data_recipes.assay_cells import (
    NOT_UNDERSTOOD,
    Entries,
    Refused,
    Rules,
    read_labelled,
    read_measured,
)
from data_recipes.building import About, Build, building
from data_recipes.command import recipe_command, tell_store
from data_recipes.duplicates import merge_duplicates
from data_recipes.measured import Threshold, Value, fsmol_threshold, values_in
from data_recipes.panel import Columns, Panel, read_panel
from molmeta.assays.label_column import Side, read_threshold
from molmeta.assays.labels import Measurement, Unit, read_label
from molmeta.assays.tables import open_table
from molmeta.errors import ConfigError, InputError

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN: Final = 20
"""Cells that are not understood of which dataset.json keeps the text."""


@recipe_command(
    "table",
    source="CSV, TSV, SDF or Parquet, plain or packed: a measurement a row, or a column an assay.",
    source_required=True,
)
@click.option("--smiles-column", metavar="NAME", help="Default: the one that holds molecules.")
@click.option(
    "--assay-column",
    metavar="NAME",
    help="Where a table with one measurement a row names the assay. Default: assay_id, assay ...; "
    "where there is none, each column is an assay.",
)
@click.option("--wide", is_flag=True, help="Each column is an assay, even beside such a column.")
@click.option(
    "--value-column",
    "value_columns",
    metavar="NAME",
    multiple=True,
    help="Where the values or classes are. May be repeated where each column is an assay; all "
    "columns if not given.",
)
@click.option("--label-column", metavar="NAME", help="Classes, beside a column of values.")
@click.option("--relation-column", metavar="NAME", help="= < > ~ of the value as it is written.")
@click.option("--unit-column", metavar="NAME", help="pM, nM, uM, mM, M, % or pIC50.")
@click.option("--unit", metavar="UNIT", help="Where neither cell nor column name states one.")
@click.option(
    "--threshold",
    metavar="VALUE",
    help='Of all assays: 1000, "1 uM", 6; needs --active. Default: the rule of FS-Mol, an assay\'s '
    "median if it lies between pIC50 4 and 6, else 5; of percentages if it is above 50, else 50.",
)
@click.option(
    "--active",
    type=click.Choice(["above", "below"]),
    help="The active side of --threshold: below for an IC50, above for a pIC50.",
)
@ENCODING_FLAG
def main(
    out: Path,
    source: Path,
    overwrite: bool,
    smiles_column: str | None,
    assay_column: str | None,
    wide: bool,
    value_columns: tuple[str, ...],
    label_column: str | None,
    relation_column: str | None,
    unit_column: str | None,
    unit: str | None,
    threshold: str | None,
    active: Side | None,
    encoding: str | None,
) -> None:
    """Make assays.parquet out of a table of measured values or classes."""
    rules = Rules(_checked_unit(unit), read_threshold(threshold, active), active or "above")
    if wide and assay_column is not None:
        raise ConfigError("--wide and --assay-column exclude each other")
    columns = Columns(
        assay_column, value_columns, label_column, relation_column, unit_column, is_wide=wide
    )
    about = About(
        recipe="table", name=source.name, url="", licence="as its owner says", citation=""
    )
    with building(out, about, overwrite=overwrite) as build:
        build.read(source)
        with open_table(source, smiles_column=smiles_column, encoding=encoding) as table:
            panel = read_panel(table, columns, build)
        build.settings |= {
            "threshold": None if threshold is None else f"{threshold} and {active}",
            "unit": unit,
            "measurements": panel.n_read,
            "notes": panel.notes,
        }
        build.write("assays", _tables(panel, rules, build))
    for note in panel.notes:
        click.echo(f"Note: {note}")
    tell_store(out)
    for name, why in list(build.settings["left_out"].items())[:_SHOWN]:
        click.echo(f"  left out: {name!r}: {why}")


def _checked_unit(unit: str | None) -> Unit:
    """The unit that a user names, by any of the names that a cell may use."""
    reading = read_label(f"1 {unit}" if unit else "1")
    if not isinstance(reading, Measurement) or not reading.is_exact:
        raise ConfigError(f"--unit {unit} is not known; use pM, nM, uM, mM, M, % or pIC50")
    return reading.unit


def _tables(panel: Panel, rules: Rules, build: Build) -> Iterator[pa.Table]:
    """The rows of each assay, with every compound once."""
    assays = _read_assays(panel, rules, build)
    rows = merge_duplicates(_table(assays), build)
    places: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(rows["assay_id"].to_pylist()):
        places[name].append(place)
    thresholds = build.settings["thresholds"] = {}
    for name, found in places.items():
        compounds = rows.take(found)
        values = values_in(compounds)
        # Where labels have a column of their own, they need no threshold.
        threshold = None if panel.has_labels else _threshold(assays[name].threshold, values)
        if threshold is not None:
            thresholds[name] = {"value": threshold.value, "active": threshold.active}
        labelled = _labelled(compounds, values, threshold, build)
        if labelled.num_rows:
            yield labelled


def _read_assays(panel: Panel, rules: Rules, build: Build) -> dict[str, Entries]:
    """What the cells say, by assay; what is left out is counted."""
    left_out: dict[str, str] = {}
    odd: list[str] = []
    assays: dict[str, Entries] = {}
    read = read_labelled if panel.has_labels else read_measured
    for name, cells in panel.assays.items():
        try:
            assays[name] = read(cells, panel.units[name], rules)
        except Refused as refused:
            left_out[name] = str(refused)
            build.count("dropped", "cells of assays that are left out", len(cells))
            continue
        for dropped in assays[name].dropped:
            build.count("dropped", dropped.kind)
            if dropped.kind == NOT_UNDERSTOOD and len(odd) < _SHOWN:
                odd.append(f"row {dropped.cell.row}, {name}: {dropped.reason}")
    build.settings |= {"left_out": left_out, "not_understood": odd}
    if not any(assay.entries for assay in assays.values()):
        why = [*(f"{name}: {why}" for name, why in left_out.items()), *odd, "all cells are empty"]
        raise InputError(f"no measurement can be used. {why[0]}")
    return assays


def _table(assays: dict[str, Entries]) -> pa.Table:
    import pyarrow as pa

    rows = [(name, entry) for name, assay in assays.items() for entry in assay.entries]
    values = [entry.value for _, entry in rows]
    return pa.table(
        {
            "assay_id": pa.array([name for name, _ in rows], pa.string()),
            "smiles": pa.array([entry.smiles for _, entry in rows], pa.string()),
            "label": pa.array([entry.is_active for _, entry in rows], pa.bool_()).cast(pa.int8()),
            "value": pa.array([value and value.value for value in values], pa.float64()),
            "log_value": pa.array([value and value.log_value for value in values], pa.float64()),
            "relation": pa.array([value and value.relation for value in values], pa.string()),
            "unit": pa.array([value and value.unit for value in values], pa.string()),
        }
    )


def _threshold(stated: Threshold | None, values: Iterable[Value | None]) -> Threshold | None:
    """What parts the compounds of an assay; None where there are classes only."""
    measured = [value for value in values if value is not None]
    return stated or (fsmol_threshold(measured) if measured else None)


def _labelled(
    compounds: pa.Table,
    values: Sequence[Value | None],
    threshold: Threshold | None,
    build: Build,
) -> pa.Table:
    """The compounds of an assay that have one class, with it and the threshold."""
    import pyarrow as pa

    labels: list[bool | None] = []
    for said, value in zip(compounds["label"].to_pylist(), values, strict=True):
        measured = None if threshold is None or value is None else threshold.label(value)
        if said is None and measured is None:
            build.count("dropped", "compounds whose bound leaves both classes open")
        elif None not in (said, measured) and said != measured:
            build.count("dropped", "compounds whose class and value contradict each other")
            measured = said = None
        labels.append(measured if said is None else bool(said))
    place = compounds.column_names.index("label")
    compounds = compounds.set_column(place, "label", pa.array(labels, pa.bool_()).cast(pa.int8()))
    bar = None if threshold is None else threshold.value
    compounds = compounds.append_column("threshold", pa.array([bar] * len(labels), pa.float64()))
    return compounds.filter(compounds["label"].is_valid())


if __name__ == "__main__":
    main()
