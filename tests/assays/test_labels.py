import math
from decimal import Decimal
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molmeta.assays.label_column import read_labels
from molmeta.assays.labels import Measurement, Unusable, read_label, unit_in_header
from molmeta.errors import ConfigError, SupportError

INF = math.inf


@pytest.mark.parametrize(
    ("active", "inactive"),
    [
        ("Active", "Inactive"),
        ("active ", " INACTIVE"),
        ("A", "I"),
        ("yes", "no"),
        ("Y", "N"),
        ("TRUE", "FALSE"),
        ("t", "f"),
        ("+", "-"),
        ("+", "−"),
        ("pos", "neg"),
        ("positive", "negative"),
        ("hit", "non-hit"),
        ("1", "0"),
        ("1.0", "0.0"),
        (1, 0),
        (1.0, 0.0),
        (True, False),
        (np.bool_(True), np.bool_(False)),
        (np.int64(1), np.float32(0)),
        (Decimal(1), Decimal(0)),
    ],
)
def test_the_documented_classes_are_read(active: object, inactive: object) -> None:  # C5
    column = read_labels([active, inactive, None])
    assert [label.active for label in column.labels] == [True, False, None]
    assert column.scale is None


@pytest.mark.parametrize(
    ("text", "measurement"),
    [
        ("5", Measurement(5, 5)),
        ("+5.", Measurement(5, 5)),
        ("-5", Measurement(-5, -5)),
        ("−5", Measurement(-5, -5)),
        (".5", Measurement(0.5, 0.5)),
        ("1e-9", Measurement(1e-9, 1e-9)),
        ("1E5", Measurement(1e5, 1e5)),
        ("5e-324", Measurement(5e-324, 5e-324)),
        ("1e308", Measurement(1e308, 1e308)),
        ("1,5", Measurement(1.5, 1.5)),
        (",25", Measurement(0.25, 0.25)),
        ("0,125", Measurement(0.125, 0.125)),
        ("12,3456 nM", Measurement(12.3456, 12.3456, "nM")),
        (">10", Measurement(10, INF, open_low=True)),
        (">=10", Measurement(10, INF)),
        ("≥ 10", Measurement(10, INF)),
        (">>10", Measurement(10, INF, open_low=True)),
        ("<0.1 uM", Measurement(-INF, 0.1, "uM", open_high=True)),
        ("<=0.1µM", Measurement(-INF, 0.1, "uM")),
        ("~5", Measurement(5, 5)),
        ("ca. 5", Measurement(5, 5)),
        ("=5", Measurement(5, 5)),
        ("10 - 30", Measurement(10, 30)),
        ("10-30nM", Measurement(10, 30, "nM")),
        ("10–30 nM", Measurement(10, 30, "nM")),
        ("10 to 30", Measurement(10, 30)),
        ("-3 - -1", Measurement(-3, -1)),
        ("50%", Measurement(50, 50, "%")),
        ("6.5 pKi", Measurement(6.5, 6.5, "pIC50")),
        ("2 mM", Measurement(2, 2, "mM")),
        ("2 μmol/L", Measurement(2, 2, "uM")),
    ],
)
def test_a_measurement_is_read(text: str, measurement: Measurement) -> None:  # C10, C26
    assert read_label(text) == measurement


@pytest.mark.parametrize(
    "text", ["", "  ", "n.d.", "ND", "NA", "nan", "?", "inconclusive", "Not tested", None, math.nan]
)
def test_a_missing_label_is_missing(text: object) -> None:  # C7
    reading = read_label(text)
    assert isinstance(reading, Unusable)
    assert reading.is_missing


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,500", "decimals or thousands"),
        ("1.234,5", "decimals or thousands"),
        ("1.2.3", "2 decimal points"),
        ("1e999", "not finite"),
        (math.inf, "not finite"),
        (10**400, "not finite"),
        ("inf", "neither a class nor a number"),
        ("0 nM", "above zero"),
        ("-3 uM", "above zero"),
        ("30 - 10", "from low to high"),
        (">10 - 30", "from low to high"),
        ("5 bananas", "unit 'bananas' is not known"),
        ("5 ± 1", "neither"),
        ("<>5", "no relation"),
        ("1_000", "neither"),
        ("maybe", "neither"),
        ([1, 2], "neither"),
        ("٣", "neither"),
    ],
)
def test_a_label_that_cannot_be_told_says_why(text: object, said: str) -> None:  # C10, C11, C26
    reading = read_label(text)
    assert isinstance(reading, Unusable)
    assert not reading.is_missing
    assert said in reading.reason


@given(st.text(max_size=30) | st.floats() | st.integers() | st.binary(max_size=5))
def test_no_label_raises(label: object) -> None:
    reading = read_label(label)
    if isinstance(reading, Unusable):
        assert reading.reason.isascii()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_written_float_is_read_back_exactly(value: float) -> None:
    assert read_label(repr(value)) == Measurement(value, value)


@pytest.mark.parametrize(
    ("text", "threshold", "above", "below"),
    [
        ("5", 5, True, True),
        ("> 10", 1, True, False),
        ("> 0.5", 1, None, None),
        (">1", 1, True, False),
        (">=1", 1, True, None),
        ("<1", 1, False, True),
        ("<=1", 1, None, True),
        ("10 - 30", 5, True, False),
        ("10 - 30", 20, None, None),
        ("10 - 30", 10, True, None),
    ],
)
def test_a_bound_decides_where_it_can(
    text: str, threshold: float, above: bool | None, below: bool | None
) -> None:  # C10
    reading = read_label(text)
    assert isinstance(reading, Measurement)
    assert reading.is_active(threshold, "above") is above
    assert reading.is_active(threshold, "below") is below


def actives(
    labels: list[object], threshold: float | str, active: Literal["above", "below"]
) -> list[bool | None]:
    return [x.active for x in read_labels(labels, threshold=threshold, active=active).labels]


def test_molar_units_are_converted() -> None:  # C11
    labels: list[object] = ["500 nM", "1 uM", "1000 nM", "1001 nM", "> 10 uM", "0.0005 mM", "0 nM"]
    column = read_labels(labels, threshold="1 uM", active="below")
    assert [label.active for label in column.labels] == [True, True, True, False, False, True, None]
    assert column.labels[0].value == 0.5
    assert "active means a value <= 1 uM" in column.notes


def test_a_bare_threshold_is_in_the_unit_of_the_labels() -> None:
    assert actives(["500 nM", "2000 nM"], 1000, "below") == [True, False]


def test_words_among_values_keep_their_meaning() -> None:  # C10
    assert actives(["5", "inactive", "active", "n.d."], 10, "above") == [False, False, True, None]


@pytest.mark.parametrize(
    ("labels", "threshold", "said"),
    [
        (["5 nM", "50 %"], 10, "cannot be compared"),  # C11
        (["5 nM", "6.2 pIC50"], 10, "cannot be compared"),  # C11
        (["5 nM", "7"], 10, "cannot be compared"),
        (["5 nM", "5 uM"], 10, "state the unit of the threshold"),
        (["5", "7"], "1 uM", "the threshold is in uM"),
        (["5 %", "7 %"], "1 uM", "the threshold is in uM"),
        (["active", "inactive"], 10, "classes already"),  # C9
    ],
)
def test_labels_that_do_not_fit_the_threshold_are_refused(
    labels: list[object], threshold: float | str, said: str
) -> None:
    with pytest.raises(SupportError, match=said):
        read_labels(labels, threshold=threshold, active="below")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["maybe", "active", "perhaps"], "'maybe', 'perhaps' are neither"),  # C5
        ([1, 2, 1], "codes '1', '2'"),  # C6
        (["0", "1", "2"], "codes '0', '1', '2'"),  # C6
        (["-1", "1"], "codes '-1', '1'"),  # C6
        ([3.2, 870.0], "--threshold 1000 --active below"),  # C8
        ([5, 7, 10, 12], "measured values \\('5', '7', '10', '12'\\)"),  # C8
        (["0.3", "1", "0"], "--threshold"),  # C8: never rounded
        ([">1", "0"], "--threshold"),
        (["1 uM", "0"], "--threshold"),
    ],
)
def test_labels_that_are_no_classes_are_refused_by_name(labels: list[object], said: str) -> None:
    with pytest.raises(SupportError, match=said):
        read_labels(labels)


@pytest.mark.parametrize(
    ("threshold", "active"),
    [
        (5, None),
        (None, "above"),
        (5, "up"),
        ("five", "above"),
        (math.nan, "above"),
        (">5", "above"),
    ],
)
def test_a_threshold_needs_a_number_and_a_side(threshold: object, active: object) -> None:  # C13
    with pytest.raises(ConfigError):
        read_labels([1.0, 9.0], threshold=threshold, active=active)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "threshold", "active", "said"),
    [
        (["5.2", "6.1", "8"], 1000, "below", "as pIC50 values do"),  # C12
        (["5.2 nM", "6.1 nM", "8 nM"], 1000, "below", "as pIC50 values do"),  # C12
        (["5 nM", "900 nM"], 100, "above", "high concentrations"),  # C13
        (["5 pIC50", "9 pIC50"], 6, "below", "low pIC50"),  # C13
        (["0", "900"], 100, "below", "zero or less"),  # C11
    ],
)
def test_a_likely_slip_is_noted(
    labels: list[object], threshold: float, active: Literal["above", "below"], said: str
) -> None:
    assert said in " ".join(read_labels(labels, threshold=threshold, active=active).notes)


def test_a_sound_column_brings_one_note() -> None:
    assert len(read_labels(["5.2", "6.1", "8"], threshold=6, active="above").notes) == 1


def test_a_dash_is_inactive_only_beside_a_plus() -> None:  # C5
    assert [x.active for x in read_labels(["+", "-"]).labels] == [True, False]
    assert [x.active for x in read_labels(["1", "0", "-"]).labels] == [True, False, None]


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("IC50 (nM)", "nM"),
        ("Ki [µM]", "uM"),
        ("ic50_nm", "nM"),
        ("pIC50", ""),
        ("Inhibition (%)", "%"),
        ("activity", ""),
        ("IC50 (see notes)", ""),
        ("nM", ""),
        ("inhibition at 10 uM", ""),
        ("inh_10_um", ""),
    ],
)
def test_a_unit_at_the_end_of_a_header_is_known(header: str, unit: str) -> None:
    assert unit_in_header(header) == unit
