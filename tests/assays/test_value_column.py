"""Labels to values on one scale: units, bounds and ranges."""

import pytest

from molmeta.assays.value_column import names_concentration, read_values
from molmeta.errors import SupportError


def values_of(labels: list[object], unit: str = "") -> list[tuple[float | None, int]]:
    return [
        (value.value if value.value is None else round(value.value, 6), value.relation)
        for value in read_values(labels, unit=unit).values
    ]


def test_concentrations_become_their_pic50_and_bounds_turn_round() -> None:
    labels: list[object] = ["1 uM", "1000 nM", "> 10 uM", "<= 0.1 nM", "pIC50", "~5 uM"]
    assert values_of(labels) == [(6, 0), (6, 0), (5, -1), (10, 1), (None, 0), (5.30103, 0)]
    assert read_values(labels).unit == "pIC50"


def test_numbers_take_the_unit_of_their_column() -> None:
    assert values_of([100, ">1e4", "2 uM"], "nM") == [(7, 0), (5, -1), (5.69897, 0)]


def test_logarithms_keep_their_direction_and_go_with_concentrations() -> None:
    assert values_of(["7.2 pIC50", ">8 pIC50", "10 nM"]) == [(7.2, 0), (8, 1), (8, 0)]


def test_numbers_without_a_unit_stay_as_they_are() -> None:
    assert values_of([7.2, ">8", "-1,5", None]) == [(7.2, 0), (8, 1), (-1.5, 0), (None, 0)]
    assert read_values(["50 %", ">90 %"]).unit == "%"


def test_a_narrow_range_stands_for_its_middle_and_a_wide_one_for_nothing() -> None:
    assert values_of(["10 - 40 nM", "1 - 3000 nM", "3 - 5 %"][:2]) == [(7.69897, 0), (None, 0)]
    assert values_of(["20 to 60 %"]) == [(40, 0)]
    assert "too wide" in read_values(["1 - 3000 nM"]).values[0].reason


def test_what_is_no_value_says_why() -> None:
    words: list[object] = ["active", "n.d.", "abc", "0 nM", "5 nM"]
    reasons = [value.reason for value in read_values(words).values]
    assert "is a class and no value" in reasons[0]
    assert reasons[1].startswith("no label")
    assert "neither a class nor a number" in reasons[2]
    assert "above zero" in reasons[3]
    assert reasons[4] == ""


@pytest.mark.parametrize("labels", [["5 nM", 7.2], ["5 %", "5 nM"], ["5 %", 5]])
def test_units_that_do_not_go_together_are_refused(labels: list[object]) -> None:
    with pytest.raises(SupportError, match="mix"):
        read_values(labels)


@pytest.mark.parametrize("header", ["IC50", "ec50", "Ki", "kd value", "AC50_mean"])
def test_a_header_names_a_concentration(header: str) -> None:
    assert names_concentration(header)


@pytest.mark.parametrize("header", ["pIC50", "pKi", "kinase", "value", "pChEMBL", "logD"])
def test_a_header_names_none(header: str) -> None:
    assert not names_concentration(header)
