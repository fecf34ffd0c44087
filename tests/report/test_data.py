"""The data report says of every row what became of it, and what the scores rest on."""

import json
from pathlib import Path

import pytest

from molmeta.assays.support import build_support
from molmeta.errors import OutputError
from molmeta.report.data import data_document, write_data_report
from molmeta.target import adapt_target
from tests.tiny_model import LABELS, SUPPORT, measured_set, tiny_checkpoint


def test_every_support_row_has_its_verdict() -> None:
    support = build_support([*SUPPORT, SUPPORT[0], "C1CC"], [*LABELS, 0, 1])
    target = adapt_target(tiny_checkpoint(), support)
    document = json.loads(json.dumps(data_document(target, support)))
    told = document["support"]
    assert [row["row"] for row in told["rows"]] == list(range(1, 11))
    assert told["rows"][0]["status"] == told["rows"][8]["status"] == "conflict"
    assert told["rows"][9]["molecule"] == "C1CC"
    assert told["by_status"] == {"ok": 7, "conflict": 2, "parse_error": 1}
    assert told["n_compounds"] == 7
    assert document["library"] is None
    made = document["made_with"]
    assert {"model_sha256", "support_sha256", "molmeta", "rdkit", "torch"} <= made.keys()
    assert {"licence", "seed", "data_sha256"} <= made["trained_on"].keys()


def test_bounds_are_told_with_the_side_of_the_truth() -> None:
    support = measured_set()
    document = data_document(adapt_target(tiny_checkpoint(), support), support)
    assert document["support"]["unit"] == "pIC50"
    bounds = {one.pop("molecule"): one for one in document["support"]["bounds"]}
    below_5 = {"value": pytest.approx(5.0), "truth": "below"}
    assert bounds == {"CCCCCC": below_5, "CC(C)CCO": below_5}


def test_an_earlier_report_is_replaced_and_another_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    write_data_report(path, {"made_with": 1})
    write_data_report(path, {"made_with": 2})
    assert json.loads(path.read_text()) == {"made_with": 2}
    for other in ("mine", "[1]", '{"a": 1}'):
        path.write_text(other)
        with pytest.raises(OutputError, match="no data report"):
            write_data_report(path, {"made_with": 3})
        assert path.read_text() == other
