"""Values, thresholds and classes, by hand and against the published classes of FS-Mol."""

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data_recipes.measured import Threshold, Value, fsmol_threshold, stated_threshold, value_of
from molmeta.assays.label_column import Side
from molmeta.assays.labels import Measurement, read_label


def read(text: str) -> Value | None:
    reading = read_label(text)
    assert isinstance(reading, Measurement)
    return value_of(reading)


def percents(*values: float) -> list[Value]:
    return [Value("%", value, None, "=") for value in values]


def potencies(*values: float) -> list[Value]:
    return [Value("nM", 10 ** (9 - value), value, "=") for value in values]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2700 nM", Value("nM", 2700, 5.568636236, "=")),
        ("> 10 uM", Value("nM", 10_000, 5.0, ">")),
        ("<= 1 pM", Value("nM", 0.001, 12.0, "<=")),
        ("6 pIC50", Value("nM", 1_000, 6.0, "=")),
        (">8 pIC50", Value("nM", 10, 8.0, "<")),
        ("<=4 pKi", Value("nM", 100_000, 4.0, ">=")),
        (">50 %", Value("%", 50, None, ">")),
        ("-12", Value("", -12, None, "=")),
    ],
)
def test_a_measurement_is_stored_with_its_relation_to_the_concentration(
    text: str, value: Value
) -> None:
    found = read(text)
    assert found is not None
    assert (found.unit, found.relation, found.log_value) == (
        value.unit,
        value.relation,
        value.log_value,
    )
    assert found.value == pytest.approx(value.value)


@pytest.mark.parametrize("text", ["10 - 30 nM", "7.5 - 8 pIC50"])
def test_a_narrow_range_stands_for_its_middle(text: str) -> None:
    found = read(text)
    assert found is not None
    assert found.relation == "~"
    assert found.log_value == pytest.approx(9 - math.log10(math.sqrt(300)) if "n" in text else 7.75)


@pytest.mark.parametrize("text", ["1 - 30 nM", "4 - 8 pIC50", "10 - 90 %", "3 - 4"])
def test_a_wide_range_or_one_of_no_concentrations_is_no_value(text: str) -> None:
    assert read(text) is None


def test_a_value_is_the_same_in_every_unit() -> None:
    logs = {found.log_value for t in ("70 nM", "0.07 uM", "7e-8 M") if (found := read(t))}
    assert len(logs) == 1


@pytest.mark.parametrize(
    ("values", "is_enzyme", "threshold"),
    [
        (potencies(4.2, 5.6, 9.0), False, 5.6),
        (potencies(4.0, 4.0, 4.0), False, 4.0),
        (potencies(6.0, 6.0, 9.0), False, 6.0),
        (potencies(3.0, 3.9, 9.0), False, 5.0),
        (potencies(3.0, 6.1, 9.0), False, 5.0),
        (potencies(3.0, 6.1, 9.0), True, 6.1),
        (potencies(3.0, 7.0, 9.0), True, 7.0),
        (potencies(3.0, 4.9, 9.0), True, 5.0),
        (potencies(5.0, 6.0), False, 5.5),
        (percents(10, 40, 90), False, 50.0),
        (percents(10, 80, 90), False, 80.0),
    ],
)
def test_the_threshold_is_the_median_where_that_is_sensible(
    values: list[Value], is_enzyme: bool, threshold: float
) -> None:
    assert fsmol_threshold(values, is_enzyme=is_enzyme) == Threshold(threshold, "above", False)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("1 uM", False),  # the threshold itself is not above it
        ("0.99 uM", True),
        ("> 1 uM", False),
        (">= 1 uM", False),
        ("> 0.5 uM", None),
        ("< 1 uM", True),
        ("<= 1 uM", None),
        ("< 2 uM", None),
    ],
)
def test_only_what_is_surely_above_the_rule_is_active(text: str, label: bool | None) -> None:
    value = read(text)
    assert value is not None
    assert Threshold(6.0).label(value) is label


@pytest.mark.parametrize(
    ("bar", "active", "text", "label"),
    [
        ("1 uM", "below", "1000 nM", True),
        ("1 uM", "below", "1001 nM", False),
        ("1 uM", "below", "6.5 pIC50", True),
        ("1 uM", "below", "> 0.9 uM", None),
        ("1 uM", "above", "1 mM", True),  # a dose that is tolerated
        ("6 pIC50", "above", "1 uM", True),
        ("50 %", "above", "50 %", True),
        ("50 %", "below", "51 %", False),
        ("3", "above", "3", True),
    ],
)
def test_a_stated_threshold_is_active_itself(
    bar: str, active: Side, text: str, label: bool | None
) -> None:
    reading, value = read_label(bar), read(text)
    assert isinstance(reading, Measurement)
    assert value is not None
    assert stated_threshold(reading, active).label(value) is label


@pytest.mark.parametrize(("fold", "at_least"), [("valid", 39), ("train", 4_900)])
def test_the_rule_gives_the_published_classes_of_fsmol(
    shared_data: Path, fold: str, at_least: int
) -> None:
    columns = ["assay_id", "value", "label", "log_value"]
    rows = pq.read_table(shared_data / "fsmol" / f"{fold}.parquet", columns=columns)
    assays: dict[str, list[tuple[float, int, float | None]]] = {}
    for name, *row in zip(*(rows[c].to_pylist() for c in columns), strict=True):
        assays.setdefault(name, []).append((row[0], row[1], row[2]))
    # Unit and protein family are not among the published columns: any that fits will do.
    n_alike = 0
    for measured in assays.values():
        labels = [label for _, label, _ in measured]
        as_percent = percents(*(value for value, _, _ in measured))
        as_potency = potencies(*(log for _, _, log in measured if log is not None))
        fits = [_labels(as_percent, False) == labels]
        if len(as_potency) == len(labels):
            fits += [_labels(as_potency, is_enzyme) == labels for is_enzyme in (False, True)]
        n_alike += any(fits)
    assert n_alike >= at_least


def _labels(values: list[Value], is_enzyme: bool) -> list[int]:
    threshold = fsmol_threshold(values, is_enzyme=is_enzyme).value
    return [int(value.on_scale > threshold) for value in values]
