"""The page of a report: it stands alone, shows every row, and nothing of a user's runs in it."""

import base64
import hashlib
import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

import molmeta.evaluation.check
from molmeta.assays.support import SupportSet, build_support
from molmeta.assays.tables import Row
from molmeta.errors import ConfigError, OutputError
from molmeta.explanation.support import MEANING
from molmeta.report.library import read_library
from molmeta.report.made_from import MadeFrom
from molmeta.report.page import write_report
from molmeta.target import TargetModel, adapt_target
from tests.molecules import MOLECULES
from tests.report.parsed_page import ParsedPage
from tests.tiny_model import (
    ACTIVES,
    LABELS,
    LIKE_ACTIVES,
    LIKE_INACTIVES,
    SEEN,
    SUPPORT,
    UNLIKE_ALL,
    measured_set,
    support_set,
    tiny_checkpoint,
)

HOSTILE = '<script>alert(1)</script>"><img src="https://evil.example/x" onerror=alert(1)>'
COLUMNS = ("id <b>", "smiles", "note")
LIBRARY = (
    ("like actives", LIKE_ACTIVES, HOSTILE),
    (HOSTILE, LIKE_INACTIVES, "=1+1"),
    ("far", UNLIKE_ALL, ""),
    ("seen", SEEN, ""),
    ("salt", f"{LIKE_ACTIVES}.Cl", ""),
    ("broken", "C1CC", ""),
    ("words", HOSTILE, ""),
    ("", "", ""),
)


@pytest.fixture(autouse=True)
def _small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(molmeta.evaluation.check, "TREES", 5)


@pytest.fixture(scope="module")
def target() -> TargetModel:
    return adapt_target(tiny_checkpoint(), support_set())


def rows_of(*cells: tuple[str, ...]) -> list[Row]:
    return [Row(i, one[1], one, None, i) for i, one in enumerate(cells, 1)]


def page_of(
    folder: Path,
    target: TargetModel,
    cells: tuple[tuple[str, ...], ...] = LIBRARY,
    support: SupportSet | None = None,
    top: int = 200,
    title: str = "target",
) -> str:
    library = read_library(
        target, rows_of(*cells), columns=COLUMNS, smiles_column="smiles", top=top
    )
    path = folder / "page.html"
    made_from = MadeFrom(title, command=f"molmeta report {HOSTILE}", model="tiny.molmeta")
    write_report(
        path,
        target,
        library,
        support=support,
        made_from=made_from,
        overwrite=True,
        today=date(2031, 5, 7),
    )
    return path.read_text(encoding="utf-8")


def test_the_page_needs_nothing_beside_itself(target: TargetModel, tmp_path: Path) -> None:
    text = page_of(tmp_path, target)
    page = ParsedPage(text)
    assert not page.with_tag("link", "iframe", "img", "object", "embed", "base", "image")
    places = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "action", "srcset")
    ]
    assert places
    assert all(place and place.startswith("#") for place in places)
    assert "@import" not in text
    assert all(place == "#" for place in re.findall(r"url\(['\"]?(.)", text))
    own = re.sub(r'xmlns="http://www\.w3\.org/2000/svg"', "", text)
    assert "http" not in own.replace("https://evil.example/x", "").replace("http-equiv", "")


def test_only_its_own_script_may_run(target: TargetModel, tmp_path: Path) -> None:
    text = page_of(tmp_path, target, title=HOSTILE)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = (
        tag["content"]
        for tag in ParsedPage(text).with_tag("meta")
        if tag.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_what_a_user_wrote_is_words_and_no_markup(target: TargetModel, tmp_path: Path) -> None:
    text = page_of(tmp_path, target, title=HOSTILE)
    page = ParsedPage(text)
    assert page.words.count("<script>alert(1)</script>") >= 5  # title, command, cells, structure
    assert len(page.with_tag("script")) == 1
    assert not page.with_tag("b", "img")
    assert not [name for _, of in page.tags for name in of if name.startswith("on")]
    assert "id <b>" not in text


def test_every_row_is_there(target: TargetModel, tmp_path: Path) -> None:
    page = ParsedPage(page_of(tmp_path, target))
    usable = ("like actives", "<script>alert(1)</script>", "far", "seen", "salt")
    assert len(page.ranked) == len(usable)
    for name in usable:
        assert sum(f"{name}" in row for row in page.ranked) >= 1
    assert "ring closure 1 opened" in page.words
    assert "8 rows read, 5 with a score" in page.words
    for number in (6, 7, 8):
        assert re.search(rf"\n{number}.*?(parse_error|not_smiles|empty)", page.words)


def test_the_parts_of_a_score_are_told_in_words(target: TargetModel, tmp_path: Path) -> None:
    words = ParsedPage(page_of(tmp_path, target)).words
    parts = [name for name in MEANING if words.count(name) > 1]
    assert "average of the support" in parts
    assert all(words.count(MEANING[name]) == 1 for name in parts)


def test_a_row_says_what_is_to_be_known_of_it(target: TargetModel, tmp_path: Path) -> None:
    rows = ParsedPage(page_of(tmp_path, target)).ranked
    by_name = {name: next(row for row in rows if name in row) for name in ("far", "seen", "salt")}
    assert "unlike your compounds" in by_name["far"]
    assert "known compound" in by_name["seen"]
    assert "in your support" in by_name["seen"]
    assert "salt: removed hydrochloride" in by_name["salt"]
    assert "same molecule as row 1" in by_name["salt"]


def test_probabilities_are_the_models_and_in_order(target: TargetModel, tmp_path: Path) -> None:
    rows = ParsedPage(page_of(tmp_path, target)).ranked
    asked = [LIKE_ACTIVES, LIKE_INACTIVES, UNLIKE_ALL, SEEN]
    scored = {row.smiles: row.probability for row in target.score(asked)}
    shown = [float(re.findall(r"0\.\d\d", row)[0]) for row in rows]
    expected = sorted([*scored.values(), scored[target.score([LIKE_ACTIVES])[0].smiles]])
    assert shown == sorted(shown, reverse=True)
    assert sorted(shown) == pytest.approx(expected, abs=0.0051)


def test_each_drawing_tells_a_screen_reader_what_it_is_or_hides(
    target: TargetModel, tmp_path: Path
) -> None:
    page = ParsedPage(page_of(tmp_path, target))
    drawings = page.with_tag("svg")
    assert len(drawings) > 10
    for drawing in drawings:
        assert drawing.get("aria-hidden") == "true" or drawing.get("aria-label")
    used = {str(one["href"]) for one in page.with_tag("use")}
    stored = {f"#{one['id']}" for one in page.with_tag("g") if "id" in one}
    assert stored
    assert stored <= used
    assert used <= {f"#{of['id']}" for _, of in page.tags if "id" in of}


def test_the_page_has_one_title_named_sections_and_no_identifier_twice(
    target: TargetModel, tmp_path: Path
) -> None:
    page = ParsedPage(page_of(tmp_path, target, support=support_set()))
    assert len(page.with_tag("h1")) == 1
    identifiers = Counter(of["id"] for _, of in page.tags if "id" in of)
    assert max(identifiers.values()) == 1
    assert {place["href"] for place in page.with_tag("a")} <= {f"#{name}" for name in identifiers}
    assert all(of["aria-labelledby"] in identifiers for of in page.with_tag("section"))
    assert page.with_tag("html")[0]["lang"] == "en"
    assert "7 May 2031" in page.words


def test_the_verdict_is_that_of_the_check(target: TargetModel, tmp_path: Path) -> None:
    check = molmeta.evaluation.check.check_target(target)
    words = " ".join(ParsedPage(page_of(tmp_path, target)).words.split())
    assert check.reason in words
    assert str(check.verdict)[1:] in words
    assert "1 of your 8 support compounds and 1 of the 8 rows of the library occur" in words


def test_what_was_done_to_the_support_is_told_row_by_row(tmp_path: Path) -> None:
    smiles = [*SUPPORT, f"{ACTIVES[1]}.Cl", ACTIVES[2], "C1CC", "c1ccncc1"]
    support = build_support(smiles, [*LABELS, 1, 0, 1, "?"])
    target = adapt_target(tiny_checkpoint(), support)
    words = ParsedPage(page_of(tmp_path, target, support=support)).words
    assert "12 rows read, 7 compounds learned from" in words
    for told in (
        *("merged: the compound of row 2", "salt: removed hydrochloride", "contradiction: rows 3"),
        *("ring closure 1 opened", "no label: '?'"),
    ):
        assert told in words
    assert "No figures here: there are 7 compounds; at least 8 are needed." in words


def test_a_model_that_was_adapted_before_says_that_its_rows_are_not_known(
    target: TargetModel, tmp_path: Path
) -> None:
    words = ParsedPage(page_of(tmp_path, target)).words
    assert "molmeta adapt --data-report" in words
    assert "rows read, 8 compounds" not in words


def test_values_have_intervals_bounds_and_no_verdict_of_classes(tmp_path: Path) -> None:
    support = measured_set()
    target = adapt_target(tiny_checkpoint(), support)
    library = read_library(
        target, rows_of(*LIBRARY), columns=COLUMNS, smiles_column="smiles", top=200
    )
    path = tmp_path / "values.html"
    write_report(path, target, library, support=support, made_from=MadeFrom("values"))
    page = ParsedPage(path.read_text(encoding="utf-8"))
    (row,) = target.score([LIKE_INACTIVES])
    assert f"{row.low:.2f} to {row.high:.2f}" in next(r for r in page.ranked if "=1+1" in r)
    assert "guessing" in page.words
    assert "Use it" not in page.words
    assert "Censored values, 2 compounds" in page.words
    assert "probability" not in page.words.lower()


def test_actives_alone_are_ranked_by_similarity(tmp_path: Path) -> None:
    support = build_support(ACTIVES, [1] * len(ACTIVES), allow_tiny=True)
    target = adapt_target(tiny_checkpoint(), support)
    words = ParsedPage(page_of(tmp_path, target, support=support)).words
    assert "No verdict" in words
    assert "No figures here: there are only actives" in words
    assert "similarity to an active" in words


def test_a_library_without_any_structure_still_gives_a_page(
    target: TargetModel, tmp_path: Path
) -> None:
    page = ParsedPage(page_of(tmp_path, target, (("a", "", ""), ("b", "C1CC", ""))))
    assert not page.ranked
    assert "No row of the library has a score." in page.words


def test_only_the_best_are_shown_of_a_large_library(target: TargetModel, tmp_path: Path) -> None:
    cells = tuple((f"m{i}", smiles, "") for i, smiles in enumerate(MOLECULES[:30]))
    page = ParsedPage(page_of(tmp_path, target, cells, top=3))
    assert len(page.ranked) == 3
    assert "The best 3 of\n30 compounds" in page.words


def test_a_page_of_200_large_molecules_stays_under_5_mb(
    target: TargetModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molmeta.report.page.EXPLAINED", 1)
    peptide = "C(Cc1ccc(O)cc1)NC(=O)"
    cells = tuple(
        (f"peptide {i}", f"{'C' * (i // 8 + 1)}NC(=O){peptide * (i % 8 + 3)}C", "x" * 20_000)
        for i in range(200)
    )
    text = page_of(tmp_path, target, cells)
    assert len(ParsedPage(text).ranked) == 200
    assert 1_000_000 < len(text.encode()) < 5_000_000


def test_the_same_calls_give_the_same_bytes(target: TargetModel, tmp_path: Path) -> None:
    assert page_of(tmp_path, target) == page_of(tmp_path, target)


def test_an_existing_file_is_kept(target: TargetModel, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("mine")
    library = read_library(target, rows_of(*LIBRARY), columns=COLUMNS, smiles_column="smiles")
    with pytest.raises(OutputError, match="exists already"):
        write_report(path, target, library, made_from=MadeFrom("target"))
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_without_the_libraries_of_a_page_nothing_is_begun(
    target: TargetModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = read_library(target, rows_of(*LIBRARY), columns=COLUMNS, smiles_column="smiles")
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(ConfigError, match=r"molmeta\[report\]"):
        write_report(tmp_path / "page.html", target, library, made_from=MadeFrom("target"))
