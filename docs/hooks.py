"""What the pages show is made while they are built, so that none of it can be out of date.

    ```run          a shell command, which becomes itself and what it prints
    {section F H}   the section of file F under the heading H, without that heading
    {code F}        the Python file F
    {code F A B}    its lines from the first that starts with A to the next that starts with B
    {commands}      the help of every command
    notebook.md     examples/herg.ipynb, run from top to bottom

A command or a cell that fails ends the build, and so does a page that would load something from a
network.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from html.parser import HTMLParser
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import nbformat
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from molmeta_cli.main import COMMANDS
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

ROOT: Final = Path(__file__).parents[1]
FIGURES: Final = ROOT / "benchmarks" / "figures"
NOTEBOOK: Final = ROOT / "examples" / "herg.ipynb"
WIDTH: Final = 100
"""Columns of the terminal that commands print to."""

_RUN: Final = re.compile(r"^```run\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SECTION: Final = re.compile(r"^\{section (\S+) (.+)\}$", re.MULTILINE)
_CODE: Final = re.compile(r"^\{code (\S+)(?: (\S+) (\S+))?\}$", re.MULTILINE)
_TO_FILES: Final = re.compile(r"\[([^\]]+)\]\((?!https?:|#)[^)]+\)")
"""Links of the repository's own documents to its files, which are no pages of the site."""
_HIDDEN: Final = re.compile(r"<style[^>]*>.*?</style>", re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the notebook, with all that it shows, and the figures of the benchmarks."""
    files.append(File.generated(config, "guides/notebook.md", content=_notebook()))
    for figure in sorted(FIGURES.glob("*.svg")):
        name = f"pictures/{figure.name}"
        files.append(File.generated(config, name, abs_src_path=str(figure)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in what is made while the site is built."""
    markdown = markdown.replace("{commands}", _commands())
    markdown = _CODE.sub(lambda found: _code(*found.groups()), markdown)
    markdown = _SECTION.sub(lambda found: _section(found[1], found[2]), markdown)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "examples", Path(folder) / "examples")
        return _RUN.sub(lambda found: _shown(found[1].strip(), folder), markdown)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse what would be loaded from elsewhere; links that a reader follows are no such thing."""
    loads = _Loads()
    loads.feed(output)
    if loads.found:
        raise PluginError(f"{page.file.src_uri} loads {', '.join(loads.found)}")
    return output


class _Loads(HTMLParser):
    """What a page would fetch over a network to be shown."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [
            value
            for name, value in attrs
            if value and (name == "src" or (name == "href" and tag == "link"))
            if re.match(r"(https?:)?//", value)
        ]


def _commands() -> str:
    return "\n\n".join(
        f"## molmeta {name}\n\n```run\nmolmeta {name} --help\n```" for name in COMMANDS
    )


def _shown(command: str, folder: str) -> str:
    """The command, and what it prints to a terminal, as a block of text."""
    lines = [f"$ {line}" for line in command.splitlines()]
    for line in _printed(command, folder).splitlines():
        is_prose = "  " not in line.strip()
        lines += textwrap.wrap(line, WIDTH) if is_prose and len(line) > WIDTH else [line.rstrip()]
    return "\n".join(["```text", *lines, "```"])


def _printed(command: str, folder: str) -> str:
    ours, theirs = pty.openpty()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "COLUMNS": str(WIDTH), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment,
    ) as process:
        os.close(theirs)
        printed = b""
        # Linux answers the end of a terminal with an error, macOS with nothing.
        while part := _read(ours):
            printed += part
    os.close(ours)
    text = printed.decode().replace("\r\n", "\n")
    if process.returncode:
        raise PluginError(f"`{command}` ended with {process.returncode}:\n{text}")
    return text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


def _section(file: str, heading: str) -> str:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    start = next((i for i, line in enumerate(lines) if line.lstrip("#") == f" {heading}"), None)
    if start is None:
        raise PluginError(f"{file} has no heading {heading!r}.")
    level = lines[start].partition(" ")[0]
    rest = lines[start + 1 :]
    end = (i for i, line in enumerate(rest) if re.match(rf"#{{1,{len(level)}}} ", line))
    return _TO_FILES.sub(r"\1", "\n".join(rest[: next(end, len(rest))]).strip())


def _code(file: str, first: str | None, last: str | None) -> str:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    if first is not None and last is not None:
        start = next(i for i, line in enumerate(lines) if line.startswith(first))
        lines = list(takewhile(lambda line: not line.startswith(last), lines[start:]))
    return "\n".join(["```python", *lines, "```"])


def _notebook() -> str:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, resources={"metadata": {"path": NOTEBOOK.parent}})
    client.execute()
    text, resources = MarkdownExporter().from_notebook_node(notebook)
    if resources["outputs"]:
        raise PluginError(f"{NOTEBOOK.name} shows files, and not only text and HTML.")
    return _HIDDEN.sub("", text)
