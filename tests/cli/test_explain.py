"""`molmeta explain` shows what a score is made of, on the terminal, as JSON and as a drawing."""

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.tiny_model import LIKE_ACTIVES, SUPPORT


def test_the_parts_on_the_terminal_add_up(run: Run, assay: Path) -> None:
    result = run("explain", "--support", assay, "--smiles", LIKE_ACTIVES)
    assert result.exit_code == 0
    total = float(re.search(r"log odds ([+-][\d.]+)", result.stdout).group(1))  # type: ignore[union-attr]
    table = result.stdout.split("\n\n")[1]
    lines = dict(re.findall(r"^(.+?) {2,}([+-]\d+\.\d\d)(?:  |$)", table, re.MULTILINE))
    assert float(lines.pop("together")) == pytest.approx(total, abs=0.011)
    assert sum(map(float, lines.values())) == pytest.approx(total, abs=0.03)
    assert f"{len(SUPPORT)} support compounds, " in result.stdout
    assert "what any compound gets" in result.stdout
    assert "-0.00" not in result.stdout
    assert "All parts add up to it." in result.stdout


def test_the_strongest_support_compounds_are_shown_and_the_rest_summed(
    run: Run, assay: Path
) -> None:
    result = run("explain", "--support", assay, "--smiles", LIKE_ACTIVES, "--top", 2)
    table = result.stdout.split("support compound  ")[1].splitlines()
    assert [line.split()[1] for line in table[1:3]] == ["active", "active"]
    assert table[3].startswith("and 6 compounds more, together ")


def test_json_holds_every_compound_in_order(run: Run, assay: Path, tmp_path: Path) -> None:
    words = ("--smiles", LIKE_ACTIVES, "--smiles", "C1CC")
    result = run("explain", "--support", assay, *words, "--output", "why.json")
    assert result.exit_code == 0
    assert result.stdout == ""
    first, broken = json.loads((tmp_path / "why.json").read_text())
    shares = [one["share"] for one in first["support"]]
    assert sum(first["base"].values()) + sum(shares) == pytest.approx(
        first["scored"]["logit"], abs=1e-5
    )
    assert len(first["atoms"]["shares"]) == 11
    assert broken["scored"]["status"] == "parse_error"
    again = run("explain", "--support", assay, *words, "--output", "why.json")
    assert again.exit_code == 6


def test_a_drawing_is_an_svg_file(run: Run, assay: Path, tmp_path: Path) -> None:
    words = ("explain", "--support", assay, "--smiles", LIKE_ACTIVES)
    assert run(*words, "--output", "why.svg").exit_code == 0
    root = ElementTree.fromstring((tmp_path / "why.svg").read_text())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.findall("{http://www.w3.org/2000/svg}ellipse")
    broken = run("explain", "--support", assay, "--smiles", "C1CC", "--output", "no.svg")
    assert broken.exit_code == 3
    assert not (tmp_path / "no.svg").exists()


def test_values_and_actives_alone_are_explained_too(run: Run, tmp_path: Path, assay: Path) -> None:
    (tmp_path / "values.csv").write_text(
        "smiles,IC50 (nM)\nCC(=O)Nc1ccc(O)cc1,5\nCC(=O)Nc1ccc(F)cc1,12\nCCCCCC,>10000\nCCCO,3000\n"
    )
    result = run("explain", "--support", "values.csv", "--values", "--smiles", LIKE_ACTIVES)
    assert result.exit_code == 0
    assert "value " in result.stdout
    assert "<5.00" in result.stdout
    (tmp_path / "actives.csv").write_text("smiles,label\nCC(=O)Nc1ccc(O)cc1,1\nCCO,1\n")
    alone = run(
        *("explain", "--support", "actives.csv", "--allow-tiny", "--smiles", LIKE_ACTIVES),
    )
    assert alone.exit_code == 0
    assert "the score is the similarity to the nearest" in alone.stdout


def test_a_call_that_makes_no_sense_is_told(run: Run, assay: Path) -> None:
    assert run("explain", "--support", assay).exit_code == 2
    assert run("explain", "--smiles", "CCO").exit_code == 2
    words = ("explain", "--support", assay, "--smiles", "CCO")
    assert ".json or .svg" in run(*words, "--output", "why.pdf").stderr
    assert "one compound" in run(*words, "--smiles", "CCC", "--output", "why.svg").stderr
