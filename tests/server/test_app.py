"""The API reads, ranks, explains and hands out; what is wrong is told in a sentence."""

import csv
import io
from threading import Event
from xml.etree import ElementTree

import pytest
from rdkit import Chem

from molmeta.assays.support import build_support
from molmeta.scores import ScoredRow
from molmeta.target import TargetModel, adapt_target
from tests.server.asking import LIBRARY_CSV, SUPPORT_CSV, VALUES_CSV, Asker
from tests.tiny_model import LABELS, LIKE_ACTIVES, SUPPORT, tiny_checkpoint


def test_each_row_of_a_support_has_its_verdict(ask: Asker) -> None:
    rows = SUPPORT_CSV + "C1CC,1\nCCOCC,n.d.\n[Na+].CC(=O)[O-],0\n"
    read = ask.send("support", rows, name="assay.csv").json()
    assert (read["n_compounds"], read["n_active"]) == (9, 4)
    remarks = {row["row"]: row for row in read["rows"] if row["reason"]}
    assert remarks.keys() == {9, 10, 11}
    assert [remarks[row]["status"] for row in (9, 10, 11)] == [
        *("parse_error", "label_error", "ok_changed")
    ]
    assert [remarks[row]["is_used"] for row in (9, 10, 11)] == [False, False, True]
    assert remarks[10]["label"] == "n.d."


def test_a_library_tells_of_rows_without_a_structure(ask: Asker) -> None:
    read = ask.send("library", LIBRARY_CSV).json()
    assert (read["n_rows"], read["n_looked_at"]) == (5, 5)
    assert [(row["row"], row["structure"]) for row in read["problems"]] == [(3, "C1CC")]
    assert "never closed" in read["problems"][0]["reason"]


def test_a_run_scores_as_the_library_does_by_itself(ask: Asker) -> None:
    run = ask.start()
    assert ask.finished(run)["belief"]["verdict"] in (
        *("use it", "no better than similarity search", "do not use"),
    )
    found = ask.client.get(f"/api/runs/{run}/compounds", params={"show": "all"}).json()
    target = adapt_target(tiny_checkpoint(), build_support(SUPPORT, LABELS))
    texts = [line.split(",")[1] for line in LIBRARY_CSV.splitlines()[1:]]
    expected = target.score(texts)
    by_merit = sorted((row for row in expected if row.is_usable), key=lambda row: -(row.merit or 0))
    assert [one["smiles"] for one in found["compounds"]] == [
        *(row.smiles for row in by_merit),
        None,
    ]
    assert [one["probability"] for one in found["compounds"][:-1]] == pytest.approx(
        [row.probability for row in by_merit]
    )
    assert [one["rank"] for one in found["compounds"]] == [1, 2, 3, 4, None]
    assert {one["row"] for one in found["compounds"] if one["in_support"]} == {5}


@pytest.mark.parametrize(
    ("view", "rows"),
    [
        ({"show": "scored", "order": "row"}, [1, 2, 4, 5]),
        ({"show": "failed"}, [3]),
        ({"show": "near", "order": "row"}, [1, 2, 5]),
        ({"show": "new", "order": "row"}, [1, 2, 4]),
        ({"contains": "LIKE A", "order": "row"}, [2, 4]),
        ({"contains": "like a", "order": "row", "offset": "1"}, [4]),
        ({"show": "all", "order": "similarity", "limit": "1"}, [5]),
    ],
)
def test_a_view_shows_what_it_says(ask: Asker, view: dict[str, str], rows: list[int]) -> None:
    run = ask.start()
    ask.finished(run)
    found = ask.client.get(f"/api/runs/{run}/compounds", params=view).json()
    if view.get("contains"):
        rows = [row for row in rows if row in (2, 4)]
    assert [one["row"] for one in found["compounds"]] == rows


def test_values_are_predicted_as_values(ask: Asker) -> None:
    run = ask.start(VALUES_CSV, read_as="values")
    state = ask.finished(run)
    assert state["predicts_values"] is True
    assert "guessing" in state["belief"]["verdict"]
    assert "of 6 measured values" in state["belief"]["reason"].lower()
    assert "--" not in state["belief"]["reason"]
    best = ask.client.get(f"/api/runs/{run}/compounds").json()["compounds"][0]
    assert best["low"] < best["value"] < best["high"]
    assert best["probability"] is None


def test_actives_alone_rank_by_similarity(ask: Asker) -> None:
    rows = "".join(f"{smiles},1\n" for smiles in SUPPORT[:4])
    run = ask.start(f"smiles,label\n{rows}")
    state = ask.finished(run)
    assert (state["has_probabilities"], state["belief"]["verdict"]) == (False, "no verdict")
    found = ask.client.get(f"/api/runs/{run}/compounds").json()["compounds"]
    assert [one["row"] for one in found[:2]] == [5, 2]


def test_an_explanation_adds_up_to_the_score(ask: Asker) -> None:
    run = ask.start()
    ask.finished(run)
    told = ask.client.get(f"/api/runs/{run}/compounds/2").json()
    assert told["method"] == "exact"
    parts = [*told["base"].values(), *(one["share"] for one in told["support"])]
    assert sum(parts) == pytest.approx(told["scored"]["logit"], abs=1e-4)
    assert len(told["atoms"]["shares"]) == 11
    refused = ask.client.get(f"/api/runs/{run}/compounds/3").json()
    assert (refused["method"], refused["scored"]["status"]) == (None, "parse_error")
    assert ask.client.get(f"/api/runs/{run}/compounds/6").status_code == 404


def test_a_downloaded_csv_keeps_the_cells_and_runs_no_formula(ask: Asker) -> None:
    run = ask.start(library=f'name,smiles\n"=1+1, ""x""",{LIKE_ACTIVES}\n-5,CCO\n@x,bad one\n')
    ask.finished(run)
    address = f"/api/runs/{run}/table.csv"
    answer = ask.client.get(address, params={"show": "all", "order": "row"})
    assert 'attachment; filename="molmeta-ranking.csv"' in answer.headers["content-disposition"]
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert header[:4] == ["name", "smiles", "rank", "probability"]
    assert [row[0] for row in rows] == ['\'=1+1, "x"', "-5", "'@x"]
    assert [row[1] for row in rows] == [LIKE_ACTIVES, "CCO", "bad one"]
    assert {row[2] for row in rows} == {"1", "2", ""}
    plain = ask.client.get(address, params={"escape_formulas": False, "order": "row"})
    assert plain.text.splitlines()[1].startswith('"=1+1')


def test_a_downloaded_sdf_holds_the_structures_in_order_of_rank(ask: Asker) -> None:
    run = ask.start()
    ask.finished(run)
    text = ask.client.get(f"/api/runs/{run}/table.sdf").text
    supplier = Chem.SDMolSupplier()
    supplier.SetData(text)
    found = [(mol.GetProp("rank"), Chem.MolToSmiles(mol)) for mol in supplier]
    ranking = ask.client.get(f"/api/runs/{run}/compounds").json()["compounds"]
    assert found == [(str(one["rank"]), one["smiles"]) for one in ranking]


def test_a_stopped_run_ends_and_is_forgotten(ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    began, go_on, chunks = Event(), Event(), []

    def slow(self: TargetModel, rows: list[object]) -> list[ScoredRow]:
        chunks.append(len(rows))
        began.set()
        go_on.wait(30)
        return self.score([row.smiles for row in rows])  # type: ignore[attr-defined]

    monkeypatch.setattr(TargetModel, "score_rows", slow)
    run = ask.start(library="smiles\n" + "CCO\n" * 450)
    assert began.wait(30)
    state = ask.client.get(f"/api/runs/{run}").json()
    assert (state["state"], state["n_rows"], state["is_ranked"]) == ("scoring", 450, False)
    assert ask.client.get(f"/api/runs/{run}/compounds").status_code == 422
    assert ask.client.delete(f"/api/runs/{run}").status_code == 204
    assert ask.client.get(f"/api/runs/{run}").status_code == 404
    go_on.set()
    monkeypatch.undo()
    ask.finished(ask.start())
    assert chunks == [200]


def test_what_cannot_be_learned_from_is_told(ask: Asker) -> None:
    inactive = "".join(f"{smiles},0\n" for smiles in SUPPORT)
    read = ask.send("support", f"smiles,label\n{inactive}").json()
    assert read["support"] is None
    assert "all 8 compounds are inactive" in read["problem"]
    assert read["columns"] == ["smiles", "label"]


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (b"", "a.csv", "a.csv is empty"),
        (b"  \n\n ", "a.csv", "only blank lines"),
        (b"PK\x03\x04junk", "a.xlsx", "an Excel workbook"),
        (b"PAR1junk", "a.parquet", "save the table as CSV"),
        (b"<html>sign in", "-", "a web page"),
        (bytes(range(256)) * 20, "a\0b.smi", "is not text"),
        (b"a,b\n1,2\n3,4\n", "../../etc/passwd", "no column that holds molecules"),
        (b"smiles\n" + b"Q" * 10_000 + b"\n", "a.csv", "no row with a structure"),
        (b"\x1f\x8b\x08\x00broken", "a.csv.gz", "damaged"),
    ],
)
def test_bad_files_are_refused_with_a_sentence(
    ask: Asker, content: bytes, name: str, told: str
) -> None:
    for kind in ("library", "support"):
        answer = ask.send(kind, content, name=name)
        sentence = answer.json().get("detail") or answer.json()["problem"]
        assert answer.status_code in (200, 422)
        assert "--" not in sentence
        if kind == "library":
            assert told in sentence


def test_too_much_is_refused(ask: Asker) -> None:
    answer = ask.send("support", b"smiles,label\n" + b"C,1\n" * 6_000)
    assert answer.status_code == 413
    assert "larger than 0.0191 MB" in answer.json()["detail"]
    rows = ask.send("library", "smiles\n" + "C\n" * 501)
    assert rows.status_code == 413
    assert "more than 500 rows" in rows.json()["detail"]


def test_a_packed_bomb_is_too_much(ask: Asker) -> None:
    import gzip

    bomb = gzip.compress(b"smiles\n" + b"C\n" * 5_000_000)
    assert len(bomb) < 40_000
    assert ask.send("library", bomb, name="a.csv.gz").status_code == 413


def test_what_is_asked_wrongly_is_told(ask: Asker) -> None:
    assert "show" in ask.client.get("/api/runs/x/compounds?show=nothing").json()["detail"]
    wanted = {"support": "guessed", "library": "guessed"}
    answer = ask.client.post("/api/runs", json=wanted)
    assert answer.status_code == 404
    assert "no longer kept" in answer.json()["detail"]


def test_drawings_are_images_that_run_nothing(ask: Asker) -> None:
    answer = ask.client.get("/api/drawing", params={"smiles": "CCO", "shares": "0.1,-0.5,0.3"})
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "script" not in answer.headers["content-security-policy"]
    assert ElementTree.fromstring(answer.text).tag.endswith("svg")
    for smiles, shares in (("C1CC", ""), ("C" * 201, ""), ("CCO", "a"), ("CCO", "1"), ("C", "nan")):
        wrong = ask.client.get("/api/drawing", params={"smiles": smiles, "shares": shares})
        assert wrong.status_code == 422


def test_the_api_is_documented_without_a_page_from_elsewhere(ask: Asker) -> None:
    document = ask.client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        *("/api/about", "/api/support", "/api/library", "/api/runs", "/api/runs/{run}"),
        *("/api/runs/{run}/compounds", "/api/runs/{run}/compounds/{row}"),
        *("/api/runs/{run}/table.{format}", "/api/drawing"),
    }
    for methods in document["paths"].values():
        assert all(method["description"] for method in methods.values())
    described = document["components"]["schemas"]["Compound"]["properties"]["similarity"]
    assert described["description"] == "To the nearest measured compound, 0 to 1."
    assert ask.client.get("/docs").status_code == 404
    assert ask.client.get("/redoc").status_code == 404


def test_the_page_names_nothing_from_elsewhere(ask: Asker) -> None:
    from molmeta.server.app import PAGE

    names = {path.name for path in PAGE.iterdir()}
    assert names >= {"index.html", "page.css", "page.js", "icon.svg"}
    for name in names:
        text = ask.client.get(f"/{name}").text
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "innerHTML" not in text
