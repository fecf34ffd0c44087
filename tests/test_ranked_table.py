"""Ranked tables: the order, the columns, and what a notebook is given to show."""

import math
import re

import numpy as np
import pyarrow as pa
import pytest

from molmeta.chem.status import Status
from molmeta.ranked_table import MAX_DRAWN, rank_rows
from molmeta.scores import ScoredRow
from molmeta.target import adapt_target
from tests.tiny_model import (
    LIKE_ACTIVES,
    LIKE_INACTIVES,
    SUPPORT,
    measured_set,
    support_set,
    tiny_checkpoint,
)


def scored(logit: float | None, smiles: str | None = "CCO", **fields: object) -> ScoredRow:
    status = Status.OK if logit is not None else Status.PARSE_ERROR
    return ScoredRow(status, str(fields.pop("reason", "")), smiles, logit, **fields)


ROWS = [
    scored(-1.0, "CCC"),
    scored(None, None, reason="ring closure <1> & so on"),
    scored(2.0),
    scored(-1.0, "CCN"),
    scored(0.5, "CCF"),
]


def test_the_best_is_first_equals_keep_their_order_and_what_has_no_score_is_last():
    ranked = rank_rows(ROWS, predicts_values=False)
    assert ranked.places == (2, 4, 0, 3, 1)
    assert [row.logit for row in ranked.rows] == [2.0, 0.5, -1.0, -1.0, None]


def test_the_arrow_table_holds_every_answer_in_order():
    table = rank_rows(ROWS, predicts_values=False).to_arrow()
    assert table["rank"].to_pylist() == [1, 2, 3, 4, None]
    assert table["row"].to_pylist() == [2, 4, 0, 3, 1]
    assert table["smiles"].to_pylist() == ["CCO", "CCF", "CCC", "CCN", None]
    expected = [1 / (1 + math.exp(-logit)) for logit in (2.0, 0.5, -1.0, -1.0)]
    np.testing.assert_allclose(table["probability"].to_pylist()[:4], expected)
    assert table["reason"].to_pylist()[-1] == "ring closure <1> & so on"
    assert "value" not in table.column_names


def test_a_table_of_no_compounds_has_its_columns():
    empty = rank_rows([], predicts_values=True)
    assert {"value", "low", "high"} <= set(empty.to_arrow().column_names)
    assert "<tbody></tbody>" in empty._repr_html_()


def test_whatever_takes_arrow_takes_the_table():
    ranked = rank_rows(ROWS, predicts_values=False)
    assert pa.table(ranked).equals(ranked.to_arrow())
    polars = pytest.importorskip("polars")
    assert polars.DataFrame(ranked)["row"].to_list() == list(ranked.places)


def test_pandas_gets_the_same_table():
    pytest.importorskip("pandas")
    frame = rank_rows(ROWS, predicts_values=False).to_pandas()
    assert frame["row"].tolist() == [2, 4, 0, 3, 1]


def test_head_is_the_best():
    assert rank_rows(ROWS, predicts_values=False).head(2).places == (2, 4)


def test_a_notebook_is_shown_structures_and_text_from_outside_escaped():
    page = rank_rows([*ROWS, scored(None, None, reason="<script>")], predicts_values=False)
    html = page._repr_html_()
    assert html.count("<svg") == 4
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "ring closure &lt;1&gt; &amp; so on" in html


def test_a_notebook_is_shown_so_many_rows_and_told_of_the_rest():
    rows = [scored(float(i)) for i in range(MAX_DRAWN + 7)]
    html = rank_rows(rows, predicts_values=False)._repr_html_()
    assert len(re.findall("<tr>", html)) == MAX_DRAWN + 1
    assert "and 7 more" in html


def test_it_says_in_a_line_what_it_is():
    ranked = rank_rows(ROWS, predicts_values=False)
    assert repr(ranked) == "RankedTable(5 compounds, 1 without a score)"


def test_values_and_actives_alone_rank_too():
    for support in (support_set(), measured_set()):
        target = adapt_target(tiny_checkpoint(), support)
        rows = target.score([LIKE_INACTIVES, LIKE_ACTIVES, SUPPORT[0]])
        ranked = rank_rows(rows, predicts_values=target.predicts_values)
        merits = [row.merit for row in ranked.rows]
        assert merits == sorted(merits, reverse=True)
        assert ranked.to_arrow()["in_support"].to_pylist().count(True) == 1
