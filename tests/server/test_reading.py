"""Tables as chemists keep them are read as they are meant; what is open is asked."""

import pytest

from molmeta.errors import InputError
from molmeta.server.reading import Choices, SupportReading, read_measured, without_flags
from molmeta.server.uploads import opened
from tests.tiny_model import SUPPORT

NM = (5, 12, 200, 60, 30_000, 3_000, 90_000, 8_000)


def read(header: str, labels: tuple[object, ...], **choices: str) -> SupportReading:
    pairs = enumerate(zip(SUPPORT, labels, strict=True))
    rows = [f"{smiles},{label},{i}" for i, (smiles, label) in pairs]
    text = "\n".join([f"SMILES,{header},MW", *rows])
    return read_measured(text.encode(), "assay.csv", Choices(**choices))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "labels", "threshold", "active"),
    [
        ("IC50 (nM)", NM, "1 uM", "below"),
        ("IC50", tuple(f"{nm} nM" for nm in NM), "1 uM", "below"),
        ("Ki (uM)", tuple(nm / 1000 for nm in NM), "1 uM", "below"),
        ("pIC50", (8.3, 7.9, 6.7, 7.2, 4.5, 5.5, 4.0, 5.1), "6", "above"),
        ("potency", (8.3, 7.9, 6.7, 7.2, 4.5, 5.5, 4.0, 5.1), "6", "above"),
        ("inhibition (%)", (90, 85, 70, 99, 3, 10, 45, 20), "50 %", "above"),
        # Nothing is below 1 uM: the middle of 200 and 3,000 uM as logarithms parts the compounds.
        ("IC50 (nM)", tuple(nm * 1000 for nm in NM), "775 uM", "below"),
        ("IC50", NM, "1600", "below"),
    ],
)
def test_a_threshold_is_proposed(
    header: str, labels: tuple[object, ...], threshold: str, active: str
) -> None:
    wanted = {"label_column": header} if header == "potency" else {}
    reading = read(header, labels, **wanted)
    assert reading.problem == ""
    assert reading.choices == Choices("SMILES", header, "threshold", threshold, active)  # type: ignore[arg-type]
    assert reading.support is not None
    assert sum(reading.support.labels) == 4  # type: ignore[union-attr]


def test_classes_need_no_threshold() -> None:
    reading = read("activity", ("active",) * 4 + ("inactive",) * 4)
    assert reading.choices == Choices("SMILES", "activity", "classes")
    assert len(reading.rows) == 8


def test_what_no_header_tells_is_asked() -> None:
    assert "several could be it" in read("result", NM).problem
    asked = read("result", NM, label_column="result")
    assert asked.support is None
    assert "whether active is above or below" in asked.problem
    assert asked.choices.read_as == "threshold"
    told = read("result", NM, label_column="result", threshold="1000", active="below")
    assert told.problem == ""


def test_a_wrong_threshold_is_a_problem_and_no_error() -> None:
    reading = read("IC50 (nM)", NM, read_as="threshold", threshold="soon", active="below")
    assert "no number" in reading.problem
    assert "--" not in reading.problem


def test_a_table_without_a_header_is_read_from_its_first_line() -> None:
    text = "".join(f"{smiles}\t{int(i < 4)}\n" for i, smiles in enumerate(SUPPORT))
    reading = read_measured(text.encode(), "pasted", Choices())
    assert reading.problem == ""
    assert len(reading.rows) == 8
    rows = "".join(f"c{i},{smiles}\n" for i, smiles in enumerate(SUPPORT))
    with opened(rows.encode(), "pasted") as table:
        assert "the first line is a compound already" in " ".join(table.notes)
        assert len(list(table)) == 8


def test_windows_text_is_read_as_excel_wrote_it() -> None:
    rows = (f"{smiles},{nm / 1e3}\n" for smiles, nm in zip(SUPPORT, NM, strict=True))
    text = "smiles,IC50 (µM)\n" + "".join(rows)
    reading = read_measured(text.encode("cp1252"), "a.csv", Choices())
    assert (reading.problem, reading.choices.threshold) == ("", "1 uM")
    assert reading.choices.label_column == "IC50 (µM)"


def test_a_sum_below_the_table_is_no_measurement() -> None:
    rows = "".join(f"{smiles},{int(i < 4)}\n" for i, smiles in enumerate(SUPPORT))
    reading = read_measured(f"smiles,label\n{rows},mean 0.5\n".encode(), "a.csv", Choices())
    assert (reading.problem, reading.choices.read_as) == ("", "classes")
    assert reading.rows[-1].status == "empty"


def test_a_wrong_structure_column_is_refused() -> None:
    with pytest.raises(InputError, match="no column 'Smile'"):
        read("label", NM, smiles_column="Smile")


def test_a_browser_is_told_of_no_flags() -> None:
    text = "state a threshold (--threshold 6 --active above), or more. Give --x 1.5 or so. Done."
    assert without_flags(text) == "state a threshold, or more. Done."
    assert without_flags("12 (of 15) -- nearly all") == "12 (of 15) -- nearly all"
