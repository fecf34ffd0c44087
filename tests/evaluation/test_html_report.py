"""The HTML report: it stands alone, its figures are the results', and any results will do."""

import json
import math
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import wilcoxon

from molmeta.errors import ConfigError, InputError, OutputError
from molmeta.evaluation.html_report import write_html_report
from molmeta.evaluation.metrics import METRICS
from molmeta.evaluation.protocol import DrawResult
from molmeta.evaluation.report import write_results

OURS = "<script>alert(1)</script> & _$x_^$ 分子"
ASSAYS = ("A", "B", "C")


class Page(HTMLParser):
    """The tags of a page, and its tables as rows of text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("th", "td")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.tables[-1][-1][-1] += data

    def row(self, table: int, name: str) -> list[str]:
        """The cells of a row, their spaces made one."""
        rows = [[" ".join(cell.split()) for cell in row] for row in self.tables[table]]
        return next(row[1:] for row in rows if row[0] == name)

    def svgs(self) -> list[str]:
        return re.findall(r"<svg.*?</svg>", self.text, re.S)


def _value(method: str, assay: str, size: int, run: int) -> float:
    if (method, assay, size) == (OURS, "C", 64):
        return math.nan
    better = 0.1 if method == OURS else 0.0
    return better + 0.02 * ASSAYS.index(assay) + size / 1000 + 0.01 * run


def _draw(method: str, assay: str, size: int, run: int) -> DrawResult:
    value = _value(method, assay, size, run)
    return DrawResult(assay, size, run, 50, 0.4, dict.fromkeys(METRICS, value))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Results of two methods on three assays, two support sizes and two draws."""
    results = {
        method: [_draw(method, a, size, run) for a in ASSAYS for size in (16, 64) for run in (0, 1)]
        for method in (OURS, "knn")
    }
    write_results(tmp_path / "results", results, {"protocol": "fsmol", "note": "<b>&"})
    return tmp_path / "results"


def _page(folder: Path, **options: Path) -> Page:
    path = folder.parent / "report.html"
    write_html_report(path, folder, **options)
    return Page(path.read_text(encoding="utf-8"))


def _table(path: Path, **columns: list[object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def _predictions(folder: Path) -> None:
    # Bin 0: four of probability .05, one active; bin 9: two of 1.0, both active.
    _table(
        folder / "predictions.parquet",
        method=["knn"] * 6,
        assay_id=["A"] * 6,
        support_size=[16] * 6,
        run=[0] * 6,
        row=list(range(6)),
        label=[1, 0, 0, 0, 1, 1],
        probability=[0.05] * 4 + [1.0] * 2,
    )


def _published(folder: Path, assays: tuple[str, ...]) -> Path:
    return _table(
        folder / "published.parquet",
        method=["Theirs <i>"] * len(assays),
        task=list(assays),
        support_size=[16] * len(assays),
        delta_auprc_mean=[0.05 * (i + 1) for i in range(len(assays))],
    )


def test_the_page_needs_nothing_beside_itself(folder: Path) -> None:
    _predictions(folder)
    page = _page(folder, published=_published(folder, ASSAYS))
    assert {"script", "link", "iframe", "img"}.isdisjoint(tag for tag, _ in page.tags)
    places = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "action")
    ]
    assert places
    assert all(place and place.startswith("#") for place in places)
    assert all(place.startswith("#") for place in re.findall(r"url\(['\"]?(.)", page.text))
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "@import" not in page.text


def test_the_tables_hold_the_numbers_of_the_summary(folder: Path) -> None:
    page = _page(folder)
    summary = json.loads((folder / "summary.json").read_text())["results"]
    checked = 0
    for method, by_metric in summary.items():
        for i, by_size in enumerate(by_metric.values()):
            for cell, of in zip(page.row(i, method), by_size.values(), strict=True):
                few = "" if of["n_tasks"] == len(ASSAYS) else f" {of['n_tasks']} assays"
                assert cell == f"{of['mean']:.3f} ± {of['standard_error']:.3f}{few}"
                checked += 1
    assert checked == 2 * len(METRICS) * 2
    assert "Without a value: 2 draws" in page.text


def test_a_metric_without_a_name_of_its_own_and_a_pooled_one_have_their_tables(
    folder: Path,
) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    cell = {"mean": 0.125, "standard_error": None, "n_tasks": 3, "n_undefined": 0}
    for by_metric in summary["results"].values():
        by_metric["pooled_brier"] = by_metric["<own>"] = {"16": cell, "64": cell}
    (folder / "summary.json").write_text(json.dumps(summary))
    page = _page(folder)
    assert page.row(len(METRICS), "knn") == ["0.125", "0.125"]
    assert page.row(len(METRICS) + 1, "knn") == ["0.125", "0.125"]
    assert "Brier score, pooled</strong> over 3 assays" in page.text
    assert "&lt;own&gt;</strong> over 3 assays" in page.text


def test_strata_that_the_benchmark_wrote_need_not_be_given(folder: Path) -> None:
    _table(folder / "strata.parquet", assay_id=list(ASSAYS), stratum=["old", "old", "new"])
    page = _page(folder)
    assert "old (2 assays)" in page.text
    other = _table(folder / "other.parquet", assay_id=list(ASSAYS), stratum=["one"] * 3)
    assert "one (3 assays)" in _page(folder, strata=other).text


def test_the_best_of_a_column_is_the_lowest_error_and_the_highest_score(folder: Path) -> None:
    text = _page(folder).text
    best = re.findall(r'<td class="best">\s*([\d.]+)', text)
    # Ours is .1 higher throughout: best in three metrics, worst in the two that are errors. At 64
    # it has A and B alone.
    assert best == ["0.141", "0.179"] * 3 + ["0.041", "0.089"] * 2


def test_what_a_user_named_is_text_and_never_markup(folder: Path) -> None:
    strata = _table(folder / "s.parquet", assay_id=["A", "B"], stratum=["<img src=x>", "<u>"])
    page = _page(folder, published=_published(folder, ASSAYS), strata=strata)
    assert {"script", "img", "i", "u", "b"}.isdisjoint(tag for tag, _ in page.tags)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; _$x_^$ 分子" in page.text


def test_every_figure_is_well_formed_and_says_in_words_what_it_shows(folder: Path) -> None:
    _predictions(folder)
    strata = _table(folder / "s.parquet", assay_id=["A", "B"], stratum=["old", "new"])
    page = _page(folder, strata=strata)
    figures = [ElementTree.fromstring(svg) for svg in page.svgs()]
    described = [svg.get("aria-label", "") for svg in figures if svg.get("role") == "img"]
    # Lines, one reliability diagram, a scatter at each of two sizes, bars.
    assert [words.split()[0] for words in described] == [
        *("Lines", "Reliability", "ΔAUPRC", "ΔAUPRC", "Bars"),
    ]
    assert all(svg.get("role") == "img" or svg.get("aria-hidden") == "true" for svg in figures)
    assert "knn: 0.041 at 16, 0.089 at 64" in described[0]


def test_no_identifier_is_given_twice_and_every_reference_has_its_target(folder: Path) -> None:
    _predictions(folder)
    page = _page(folder, published=_published(folder, ASSAYS))
    identifiers = Counter(a["id"] for _, a in page.tags if "id" in a)
    assert max(identifiers.values()) == 1
    targets = re.findall(r"(?:href=\"|url\()#([^\")]+)", page.text)
    assert len(targets) > 10
    assert set(targets) <= identifiers.keys()


def test_reliability_is_the_share_of_actives_in_each_bin(folder: Path) -> None:
    _predictions(folder)
    page = _page(folder)
    numbers = next(table for table in page.tables if table[0][0] == "mean probability")
    assert numbers[1:] == [["0.050", "0.250", "4"], ["1.000", "1.000", "2"]]
    # (4 · |.25 − .05| + 2 · 0) / 6
    assert re.search(r"Mean gap, pooled:\s+0\.133 at 16\.", page.text)


def test_without_predictions_the_page_says_that_there_are_none(folder: Path) -> None:
    assert "The results hold no probabilities" in _page(folder).text


def test_methods_are_compared_on_the_assays_that_both_have(folder: Path) -> None:
    page = _page(folder, published=_published(folder, ("A", "B", "not ours")))
    knn, theirs = page.row(-1, "knn"), page.row(-1, "Theirs <i> (published)")
    p = wilcoxon([0.1, 0.1, 0.1]).pvalue
    assert knn[0] == f"+0.100 ± 0.000 p = {p:.3f} ahead on 3 of 3"
    # Ours at 16: .121 and .141; theirs .05 and .10.
    assert theirs == ["+0.056 ± 0.015 p = 0.500 ahead on 2 of 2", "–"]
    assert re.search(r"1 published method, on the 2 of these\s+3 assays", page.text)


def test_published_results_on_other_assays_are_called_that_and_not_compared(folder: Path) -> None:
    page = _page(folder, published=_published(folder, ("X", "Y")))
    assert "1 published method on other assays" in page.text
    assert "(published)" not in page.text


def test_strata_have_their_own_means_and_an_assay_without_one_is_not_lost(folder: Path) -> None:
    strata = _table(folder / "s.parquet", assay_id=["A", "B"], stratum=["old", "old"])
    page = _page(folder, strata=strata)
    rows = [[" ".join(cell.split()) for cell in row] for row in page.tables[-2]]
    # Tasks .021 and .041 at 16: mean .031, standard error .02 / √2 / √2.
    old, rest = rows.index(["old (2 assays)"]), rows.index(["not in the list (1 assay)"])
    assert rows[old + 2] == ["knn", "0.031 ± 0.010", "0.079 ± 0.010"]
    assert rows[rest + 1] == [OURS, "0.161", "– 0 assays"]


@pytest.mark.parametrize(
    ("methods", "assays", "sizes", "value"),
    [
        (["ours"], 3, [16], 0.2),
        (["knn"], 3, [16], 0.2),
        (["ours", "knn"], 1, [16, 64], 0.2),
        (["ours", "knn"], 3, [16, 64], math.nan),
        (["knn", "random_forest"], 3, [16], -0.1),
        ([f"m{i}" for i in range(9)], 2, [8], 0.0),
    ],
    ids=["one method", "one baseline", "one assay", "undefined", "baselines", "many methods"],
)
def test_results_however_few_make_a_page(
    tmp_path: Path, methods: list[str], assays: int, sizes: list[int], value: float
) -> None:
    results = {
        method: [
            DrawResult(f"T{i}", size, 0, 9, 0.4, dict.fromkeys(METRICS, value))
            for i in range(assays)
            for size in sizes
        ]
        for method in methods
    }
    write_results(tmp_path / "results", results, {})
    page = _page(tmp_path / "results")
    for method in methods:
        shown = "–" if math.isnan(value) else f"{value:.3f}".replace("-", "−")
        assert page.row(0, method)[0].startswith(shown)


def test_thousands_of_assays_stay_a_small_page(tmp_path: Path) -> None:
    results = {
        method: [
            DrawResult(f"T{i}", 16, 0, 9, 0.4, dict.fromkeys(METRICS, math.sin(i * k) / 2))
            for i in range(4000)
        ]
        for k, method in enumerate(("ours", "knn"), start=2)
    }
    write_results(tmp_path / "results", results, {})
    page = _page(tmp_path / "results")
    assert "4,000 assays" in page.text
    assert len(page.text) < 300_000


def test_the_same_results_give_the_same_bytes(folder: Path) -> None:
    assert _page(folder).text == _page(folder).text


@pytest.mark.parametrize("name", ["summary.json", "draws.parquet"])
def test_a_file_that_is_missing_or_damaged_is_named(folder: Path, name: str) -> None:
    (folder / name).write_text("{}")
    with pytest.raises(InputError, match=f"{name} is not what"):
        _page(folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"There is no .*{name}"):
        _page(folder)
    assert not (folder.parent / "report.html").exists()


def test_a_page_that_cannot_be_written_is_refused_in_a_sentence(folder: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_html_report(folder / "nowhere" / "report.html", folder)


def test_without_matplotlib_the_message_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"pip install 'molmeta\[report\]'"):
        _page(folder)
