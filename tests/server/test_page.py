"""The page in a real browser: from drop to download, by mouse and by keyboard, small and large."""

import csv
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from molmeta.scores import ScoredRow
from molmeta.target import TargetModel
from tests.server.asking import LIBRARY_CSV, SUPPORT_CSV, VALUES_CSV
from tests.tiny_model import LIKE_ACTIVES, tiny_checkpoint

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE, DESKTOP = (390, 844), (1280, 900)
WAIT = 60_000  # ms

HOSTILE = (
    "name,smiles\n"
    "<script>window.broken=1</script>,CCO\n"
    f"<img src=x onerror=window.broken=1>,{LIKE_ACTIVES}\n"
    f'"=HYPERLINK(""http://evil.example"",""x"")",{"C" * 30}\n'
    f"long,{'C' * 10_000}\n"
    f"{'n' * 5_000},CCN\n"
    "nul\0,CCO\n"
)

pytest.importorskip("fastapi")
playwright = pytest.importorskip("playwright.sync_api")
if CHROMIUM is None:
    pytest.skip("no Chromium here", allow_module_level=True)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of its own, on a free port."""
    import uvicorn

    from molmeta.server.app import create_app
    from molmeta.server.uploads import Limits

    app = create_app(tiny_checkpoint(), limits=Limits(support_bytes=50_000))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


class Opened:
    """The page in a tab, and all that it should never do."""

    def __init__(self, browser: Any, address: str, size: tuple[int, int]) -> None:
        self.tab = browser.new_page(viewport={"width": size[0], "height": size[1]})
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.on("console", self._listen)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.tab.goto(address)

    def _listen(self, message: Any) -> None:
        # The browser itself notes each refusal of the API.
        if message.type == "error" and "status of 4" not in message.text:
            self.complaints.append(message.text)

    def sees(self, place: str, text: str | re.Pattern[str]) -> None:
        playwright.expect(self.tab.locator(place)).to_contain_text(text, timeout=WAIT)

    def drop(self, kind: str, content: str, name: str) -> None:
        """Drop a file onto the place of a table."""
        data = self.tab.evaluate_handle(
            """([content, name]) => {
                const data = new DataTransfer();
                data.items.add(new File([content], name));
                return data;
            }""",
            [content, name],
        )
        self.tab.dispatch_event(f"#{kind} .drop", "drop", {"dataTransfer": data})

    def fits(self) -> bool:
        """Whether nothing sticks out to the right."""
        root = "document.documentElement"
        return bool(self.tab.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"))

    def tab_to(self, place: str) -> None:
        """Press Tab until `place` has the focus."""
        for _ in range(80):
            self.tab.keyboard.press("Tab")
            if self.tab.locator(place).first.evaluate("one => one === document.activeElement"):
                return
        raise AssertionError(f"no Tab leads to {place}")


@pytest.fixture
def open_page(browser: Any, address: str) -> Iterator[Any]:
    opened: list[Opened] = []

    def open_one(size: tuple[int, int] = DESKTOP) -> Opened:
        opened.append(Opened(browser, address, size))
        return opened[-1]

    yield open_one
    for one in opened:
        assert one.complaints == []
        assert all(url.startswith(address) for url in one.asked)
        one.tab.close()


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_from_drop_to_download(open_page: Any, size: tuple[int, int], tmp_path: Path) -> None:
    page = open_page(size)
    assert page.fits()
    page.drop("support", SUPPORT_CSV + "C1CC,1\n", "assay.csv")
    page.sees("#support .reading", "8 compounds: 4 active, 4 inactive.")
    page.sees("#support details[open] tr.out", "ring closure")
    page.drop("library", LIBRARY_CSV, "library.csv")
    page.sees("#library .reading", "5 rows. 1 row cannot be scored.")
    page.tab.click("#start")
    page.sees("#progress-text", "Done.")
    page.sees("#verdict", "Can I trust it?")
    rows = page.tab.locator("#ranking tbody tr")
    assert rows.count() == 4
    image = rows.first.locator("img")
    image.scroll_into_view_if_needed()
    playwright.expect(image).to_have_js_property("naturalWidth", 300, timeout=WAIT)
    assert page.fits()
    page.tab.select_option("[name=show]", "failed")
    page.sees("#count", re.compile("^1 compound$"))
    page.sees("#ranking tbody", "never closed")
    page.tab.select_option("[name=show]", "scored")
    page.tab.fill("[name=contains]", "like actives")
    page.sees("#count", re.compile("^1 compound$"))
    page.tab.fill("[name=contains]", "")
    page.sees("#count", "4 compounds")
    with page.tab.expect_download() as download:
        page.tab.click("#csv")
    download.value.save_as(tmp_path / "ranking.csv")
    with (tmp_path / "ranking.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    shown = rows.locator(".compound strong").all_text_contents()
    assert [row["name"] for row in found] == shown
    assert [row["rank"] for row in found] == ["1", "2", "3", "4"]


def test_a_start_waits_for_tables_that_are_still_on_their_way(open_page: Any) -> None:
    page = open_page()

    def slowly(route: Any) -> None:
        time.sleep(0.3)
        route.continue_()

    page.tab.route(re.compile("/api/(support|library)"), slowly)
    page.drop("support", SUPPORT_CSV, "assay.csv")
    page.drop("library", LIBRARY_CSV, "library.csv")
    page.tab.click("#start")
    page.sees("#count", "4 compounds")
    page.sees("#progress-text", "Done.")
    # Typed, and not yet sent: not the table of before is ranked.
    page.tab.fill("#library-text", f"smiles\n{LIKE_ACTIVES}\n")
    page.tab.click("#start")
    page.sees("#count", re.compile("^1 compound$"))
    page.sees("#progress-text", "Done.")
    playwright.expect(page.tab.locator("#run-problem")).to_be_hidden()


def test_a_keyboard_is_enough(open_page: Any) -> None:
    page = open_page()
    page.tab_to("#support-text")
    page.tab.keyboard.insert_text(VALUES_CSV)
    page.sees("#support .reading", "8 compounds: 4 active")
    page.tab_to("[name=active]")
    page.tab_to("[name=threshold]")
    page.tab.keyboard.press("Control+A")
    page.tab.keyboard.type("20 nM")
    page.tab.keyboard.press("Enter")
    page.sees("#support .reading", "8 compounds: 2 active, 6 inactive.")
    page.tab_to("#library-text")
    page.tab.keyboard.insert_text(LIBRARY_CSV)
    page.sees("#library .reading", "5 rows")
    page.tab_to("#start")
    page.tab.keyboard.press("Enter")
    page.sees("#progress-text", "Done.")
    playwright.expect(page.tab.locator("#results")).to_be_focused()
    page.tab_to("#ranking tbody button")
    page.tab.keyboard.press("Enter")
    page.sees("#explanation", "raises it by")
    page.tab.keyboard.press("Escape")
    playwright.expect(page.tab.locator("#explanation")).to_be_hidden()
    playwright.expect(page.tab.locator("#ranking tbody button").first).to_be_focused()
    page.tab.keyboard.press("Shift+Tab")
    playwright.expect(page.tab.locator("#sdf")).to_be_focused()
    with page.tab.expect_download() as download:
        page.tab.keyboard.press("Enter")
    assert download.value.suggested_filename == "molmeta-ranking.sdf"


def test_hostile_cells_are_text_and_nothing_more(open_page: Any, tmp_path: Path) -> None:
    page = open_page(PHONE)
    page.drop("support", SUPPORT_CSV + "<script>window.broken=1</script>,1\n", "<b>x</b>.csv")
    page.sees("#support details[open] tr.out", "<script>")
    page.drop("library", HOSTILE, "<img src=x onerror=window.broken=1>.csv")
    page.sees("#library .reading", "6 rows")
    assert page.fits()
    page.tab.click("#start")
    page.sees("#progress-text", "Done.")
    page.sees("#ranking tbody", "<img src=x onerror=window.broken=1>")
    assert page.fits()
    page.tab.locator("#ranking tbody tr", has_text="<script>").locator("button").click()
    page.sees("#explanation", "<script>")
    page.sees("#explanation", "raises it by")
    assert page.tab.evaluate("window.broken === undefined")
    page.tab.keyboard.press("Escape")
    with page.tab.expect_download() as download:
        page.tab.click("#csv")
    download.value.save_as(tmp_path / "ranking.csv")
    assert "\"'=HYPERLINK(" in (tmp_path / "ranking.csv").read_text()


def test_what_cannot_be_used_is_told_at_its_place(open_page: Any) -> None:
    page = open_page()
    page.tab.click("#start")
    page.sees("#run-problem", "step 1")
    page.drop("support", "", "empty.csv")
    page.sees("#support .problem", "empty.csv is empty")
    page.drop("support", "x" * 60_000, "huge.csv")
    page.sees("#support .problem", "huge.csv is larger than")
    page.drop("support", "PK\x03\x04junk", "assay.xlsx")
    page.sees("#support .problem", "an Excel workbook")
    page.drop("support", "a,b,smi1,smi2\n1,2,CCO,CCN\n0,3,CCC,CCCN\n", "two.csv")
    page.sees("#support .problem", "2 columns that hold")
    page.tab.fill("#support .ask input", "smi1")
    page.tab.keyboard.press("Enter")
    page.sees("#support .problem", "several could be it")
    page.tab.select_option("[name=label_column]", "a")
    page.sees("#support .reading", "2 compounds: 1 active, 1 inactive.")
    page.tab.click("#start")
    page.sees("#run-problem", "step 2")


def test_a_long_run_shows_progress_and_can_be_stopped(
    open_page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, go_on = open_page(), Event()
    score_rows = TargetModel.score_rows

    def slow(self: TargetModel, rows: Any) -> list[ScoredRow]:
        scored = score_rows(self, rows)
        if rows[0].number > 200:
            go_on.wait(30)
        return scored

    monkeypatch.setattr(TargetModel, "score_rows", slow)
    page.drop("support", SUPPORT_CSV, "assay.csv")
    page.drop("library", "smiles\n" + "CCO\n" * 450, "library.csv")
    page.sees("#support .reading", "8 compounds")
    page.sees("#library .reading", "450 rows")
    page.tab.click("#start")
    page.sees("#progress-text", "Scoring: 200 of 450 compounds.")
    assert page.tab.locator("progress").evaluate("one => one.value") == 200
    page.tab.click("#stop")
    page.sees("#progress-text", "Stopped.")
    go_on.set()
    page.tab.click("#start")
    page.sees("#progress-text", "Done.")
    page.sees("#count", "450 compounds")
    assert page.tab.locator("#ranking tbody tr").count() == 50
    page.tab.click("#more")
    playwright.expect(page.tab.locator("#ranking tbody tr")).to_have_count(100)
