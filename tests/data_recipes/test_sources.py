"""Downloads from a server of our own: once, checked, resumed, and never half there."""

import fcntl
import hashlib
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data_recipes.sources import Source, fetch, file_sha256
from molmeta.errors import InputError, OutputError

ROOT = Path(__file__).parents[2]
CONTENT = bytes(range(256)) * (3 << 12)  # three blocks of what is read at a time
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What is served, how it fails, and what was asked of it."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    breaks: list[int] = field(default_factory=list)
    """Bytes after which the next answers break off."""
    status: int = 200
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""
    hold: threading.Event = field(default_factory=threading.Event)
    """Set: an answer that breaks off does so at once, else it waits for this."""


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    served.hold.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.ranges.append(self.headers["Range"])
            start = 0
            if self.headers["Range"] and self.headers["If-Range"] == served.etag:
                start = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1])
            rest = served.content[start:]
            if start and not rest:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(served.content)}")
            elif start:
                self.send_response(206)
                last = len(served.content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
            else:
                self.send_response(served.status)
            if served.etag:
                self.send_header("ETag", served.etag)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            if served.breaks:
                self.wfile.write(rest[: served.breaks.pop(0)])
                self.wfile.flush()
                served.hold.wait(30)
            else:
                self.wfile.write(rest)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{httpd.server_address[1]}/data.tar"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.hold.set()
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def source(server: Server, sha256: str | None = SHA256) -> Source:
    return Source("data.tar", server.url, sha256)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_downloaded_once(server, tmp_path):
    path = fetch(source(server), cache=tmp_path / "cache")
    assert path == tmp_path / "cache" / "data.tar"
    assert path.read_bytes() == CONTENT
    assert fetch(source(server), cache=tmp_path / "cache") == path
    assert server.ranges == [None]
    assert names(path.parent) == ["data.tar"]


def test_without_a_known_checksum_what_is_there_is_kept(server, tmp_path):
    for _ in range(2):
        assert fetch(source(server, None), cache=tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None]


def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path):
    server.breaks = [3 << 19, 100]
    assert fetch(source(server, None), cache=tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={1 << 20}-", f"bytes={1 << 20}-"]
    assert names(tmp_path) == ["data.tar"]


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server, tmp_path):
    server.breaks = [3 << 19] + [0] * 4
    with pytest.raises(InputError, match=r"data.tar could not be .*Run it again to go on"):
        fetch(source(server), cache=tmp_path)
    assert names(tmp_path) == ["data.tar.part", "data.tar.part.etag"]
    server.ranges.clear()
    assert fetch(source(server), cache=tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={1 << 20}-"]
    assert names(tmp_path) == ["data.tar"]


def test_a_killed_download_goes_on_where_it_stopped(server, tmp_path):
    server.breaks = [5 << 19]
    server.hold.clear()
    code = (
        "import sys; from pathlib import Path; from data_recipes.sources import *\n"
        "fetch(Source('data.tar', sys.argv[1]), cache=Path(sys.argv[2]))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, server.url, tmp_path], cwd=ROOT)
    part = tmp_path / "data.tar.part"
    while not (part.exists() and part.stat().st_size):
        assert child.poll() is None
    child.kill()
    assert child.wait() == -signal.SIGKILL
    held = part.stat().st_size
    assert not (tmp_path / "data.tar").exists()
    assert fetch(source(server, None), cache=tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={held}-"]


@pytest.mark.parametrize("etag", ['"two"', None])
def test_a_file_that_has_changed_since_is_downloaded_anew(server, tmp_path, etag):
    server.breaks = [3 << 19] + [0] * 4
    with pytest.raises(InputError):
        fetch(source(server, None), cache=tmp_path)
    server.etag, server.content = etag, CONTENT[::-1]
    assert fetch(source(server, None), cache=tmp_path).read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_a_server_that_names_no_version_is_asked_for_all_of_it(server, tmp_path, etag):
    server.etag, server.breaks = etag, [3 << 19]
    assert fetch(source(server), cache=tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, None]


def test_a_whole_file_that_was_not_yet_named_is_not_downloaded_again(server, tmp_path):
    (tmp_path / "data.tar.part").write_bytes(CONTENT)
    (tmp_path / "data.tar.part.etag").write_text('"one"')
    assert fetch(source(server), cache=tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


def test_a_wrong_checksum_is_refused_and_nothing_kept(server, tmp_path):
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(InputError, match=rf"gave is not the published data.tar: .* not {SHA256}"):
        fetch(source(server), cache=tmp_path)
    assert names(tmp_path) == []
    server.content, server.etag = CONTENT, '"two"'
    assert fetch(source(server), cache=tmp_path).read_bytes() == CONTENT


def test_a_damaged_copy_in_the_cache_is_downloaded_again(server, tmp_path):
    (tmp_path / "data.tar").write_bytes(CONTENT[:100])
    assert fetch(source(server), cache=tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("status", ["404 Not Found", "202 Accepted"])
def test_an_answer_without_the_file_is_told(server, tmp_path, status):
    server.status = int(status[:3])
    with pytest.raises(InputError, match=f"the server answered {status}"):
        fetch(source(server), cache=tmp_path)
    assert not (tmp_path / "data.tar").exists()


def test_no_network_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"from http://127.0.0.1:1/x \(no connection\)"):
        fetch(Source("x", "http://127.0.0.1:1/x"), cache=tmp_path)


def test_a_cache_that_cannot_be_written_is_a_sentence(server, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(OutputError, match="cache cannot be written"):
        fetch(source(server), cache=tmp_path / "cache")


def test_two_processes_do_not_write_one_download(server, tmp_path):
    with (tmp_path / "data.tar.part").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match=r"Another process is writing .*data.tar.part"):
            fetch(source(server), cache=tmp_path)
    assert server.ranges == []


def test_a_local_copy_needs_no_network(tmp_path):
    path = tmp_path / "data.tar"
    path.write_bytes(CONTENT)
    nowhere = Source("data.tar", "http://127.0.0.1:1/x", SHA256)
    assert fetch(nowhere, path) == path
    assert fetch(nowhere, tmp_path) == path
    assert fetch(Source("other", "http://127.0.0.1:1/x", SHA256), path) == path


def test_a_local_copy_that_is_another_file_is_refused(tmp_path):
    path = tmp_path / "data.tar"
    path.write_bytes(b"something else")
    expected = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(InputError, match=rf"SHA-256 is {expected} and not {SHA256}"):
        fetch(Source("data.tar", "http://127.0.0.1:1/x", SHA256), path)
    with pytest.raises(InputError, match=r"There is no file .*absent"):
        fetch(Source("absent", "http://127.0.0.1:1/x"), tmp_path)


def test_a_checksum_is_that_of_the_content(tmp_path):
    (tmp_path / "x").write_bytes(CONTENT)
    assert file_sha256(tmp_path / "x") == SHA256
    with pytest.raises(InputError, match="cannot be read"):
        file_sha256(tmp_path / "absent")
