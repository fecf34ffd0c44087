"""The pictures of the site, drawn anew: `python docs/pictures.py`.

Needs Chromium for Playwright (`playwright install chromium`, or one named by --chromium).
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import click

ROOT: Final = Path(__file__).parents[1]
PICTURES: Final = ROOT / "docs" / "pages" / "pictures"
SUPPORT: Final = ROOT / "examples" / "herg_support.csv"
LIBRARY: Final = ROOT / "examples" / "candidates.smi"
FLUOXETINE: Final = "CNCCC(Oc1ccc(cc1)C(F)(F)F)c1ccccc1"


@click.command()
@click.option("--chromium", type=click.Path(exists=True), help="Its program.")
def main(chromium: str | None) -> None:
    """Draw the pictures into docs/pages/pictures."""
    _molmeta(
        *("explain", "--support", SUPPORT, "--smiles", FLUOXETINE, "--overwrite"),
        *("--output", PICTURES / "why.svg"),
    )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page(viewport={"width": 1000, "height": 1000})
        _of_report(page, Path(folder))
        _of_server(page)
        browser.close()


def _of_report(page: Any, folder: Path) -> None:
    """The report on a support with rows that need a word, as spreadsheets have them."""
    with SUPPORT.open(encoding="utf-8") as file:
        rows = [list(row.values()) for row in csv.DictReader(file)]
    rows += [["amitriptyline hydrochloride", f"{rows[1][1]}.Cl", "active"]]
    rows += [["unreadable", "C1CC", "inactive"], ["not tested", "CCO", "n.d."]]
    support = folder / "herg.csv"
    with support.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["name", "smiles", "label"], *rows])
    report = folder / "report.html"
    _molmeta("report", "--support", support, "--input", LIBRARY, "--output", report)
    page.goto(report.as_uri())
    page.screenshot(path=PICTURES / "report.png")
    page.locator("#trust").screenshot(path=PICTURES / "verdict.png")
    page.locator("#data").screenshot(path=PICTURES / "data.png")


def _of_server(page: Any) -> None:
    """The page in the browser, from the two files to the ranking."""
    words = ["-m", "molmeta_cli.main", "serve", "--port", "0"]
    server = subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        told = server.stderr.readline()  # molmeta is at ADDRESS (...)
        page.goto(told.split()[3])
        for step, file in (("support", SUPPORT), ("library", LIBRARY)):
            page.locator(f"#{step} input[type=file]").set_input_files(file)
        page.locator("#start:enabled").click()
        page.locator("#verdict").filter(has_not_text="Trying").wait_for()
        page.locator("#ranking tbody img").first.wait_for()
        page.wait_for_load_state("networkidle")
        page.locator("#results").evaluate("section => section.scrollIntoView()")
        page.screenshot(path=PICTURES / "serve.png")
    finally:
        server.terminate()
        server.wait()


def _molmeta(*words: str | Path) -> None:
    command = [sys.executable, "-m", "molmeta_cli.main", *map(str, words), "--quiet"]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
