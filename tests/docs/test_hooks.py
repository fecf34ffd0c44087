"""What fills in the pages of the site: commands, sections of documents, and no foreign loads."""

import importlib.util
from types import SimpleNamespace

import pytest

from tests.cli.conftest import ROOT

exceptions = pytest.importorskip("mkdocs.exceptions")
pytest.importorskip("nbclient")
pytest.importorskip("nbconvert")


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_command_becomes_itself_and_what_it_prints(hooks) -> None:
    page = hooks.on_page_markdown("before\n\n```run\nhead -1 examples/herg_support.csv\n```\n")
    assert page == (
        "before\n\n```text\n$ head -1 examples/herg_support.csv\nname,smiles,label\n```\n"
    )


def test_a_command_prints_as_to_a_terminal_and_long_prose_is_wrapped(hooks) -> None:
    page = hooks.on_page_markdown("```run\ntest -t 1 && printf 'word %.0s' {1..40}\n```")
    lines = page.splitlines()[2:-1]
    assert len(lines) > 1
    assert max(map(len, lines)) <= hooks.WIDTH


def test_a_command_that_fails_ends_the_build(hooks) -> None:
    with pytest.raises(exceptions.PluginError, match="ended with 3:\ngone wrong"):
        hooks.on_page_markdown("```run\necho gone wrong >&2; exit 3\n```")


def test_a_section_comes_without_its_heading_and_links_to_files(hooks) -> None:
    page = hooks.on_page_markdown("{section README.md How good it is}")
    assert page.startswith("ΔAUPRC")
    assert "benchmarks/README.md has" in page
    assert "What comes back" not in page
    with pytest.raises(exceptions.PluginError, match="no heading 'Nothing'"):
        hooks.on_page_markdown("{section README.md Nothing}")


def test_code_comes_from_its_file_whole_or_in_part(hooks) -> None:
    whole = hooks.on_page_markdown("{code examples/centroid.py}")
    assert whole == f"```python\n{(ROOT / 'examples' / 'centroid.py').read_text()}```"
    part = hooks.on_page_markdown("{code examples/centroid.py class def}")
    assert part.splitlines()[1] == "class CentroidConfig:"
    assert "import" not in part


@pytest.mark.parametrize(
    "element",
    [
        '<script src="https://example.org/a.js"></script>',
        '<link rel="stylesheet" href="//example.org/a.css">',
        '<img src="http://example.org/a.png">',
    ],
)
def test_a_page_that_loads_from_a_network_is_refused(hooks, element: str) -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri="index.md"))
    with pytest.raises(exceptions.PluginError, match=r"index.md loads .*example.org"):
        hooks.on_post_page(element, page)
    fine = '<a href="https://example.org">a link</a><img src="a.png">'
    assert hooks.on_post_page(fine, page) == fine
