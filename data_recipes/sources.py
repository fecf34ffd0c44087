"""Published files: a local copy when there is one, else downloaded once, checked and kept."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from data_recipes.lock import locked
from molmeta.errors import ConfigError, InputError, MolmetaError, OutputError

if TYPE_CHECKING:
    import requests

_TRIES: Final = 5
_TIMEOUT: Final = (10.0, 60.0)
"""Seconds to connect, and to wait for the next bytes."""
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """One published file."""

    name: str
    """Of the file, in the cache and in a folder of local copies."""
    url: str
    sha256: str | None = None
    """None where none is known: it is then recorded and not checked."""


def fetch(source: Source, given: Path | None = None, *, cache: Path | None = None) -> Path:
    """The file on this disk: `given` if it is, else the copy in the cache, else downloaded there.

    A download that breaks off is taken up where it stopped, now or by a later call, as long as the
    server says by its ETag that the file is still the same. It gets its name once it is whole and
    its checksum is right.

    Args:
        source: what is wanted.
        given: a local copy, or a folder that holds it under `source.name`; no network is used.
        cache: folder of the downloads; `molmeta` in the user's cache folder if None.

    Raises:
        InputError: the local copy is not there or another file, no network, a broken download, a
            wrong checksum.
        OutputError: the cache cannot be written, or another process is downloading this file.
        ConfigError: a download is needed, and `pooch` is not installed.
    """
    if given is not None:
        return _checked_copy(source, given / source.name if given.is_dir() else given)
    try:
        import pooch
        import requests
    except ImportError as error:
        raise ConfigError(
            f"Downloading {source.name} needs pooch: pip install 'molmeta[recipes]', or download "
            f"{source.url} yourself and name the file with --source."
        ) from error
    folder = cache or Path(pooch.os_cache("molmeta"))
    pooch.get_logger().setLevel("WARNING")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = pooch.retrieve(
            source.url,
            known_hash=source.sha256,
            fname=source.name,
            path=folder,
            downloader=_ResumingDownloader(folder / f"{source.name}.part"),
        )
    except requests.RequestException as error:
        raise InputError(
            f"{source.name} could not be downloaded from {source.url} ({_reason(error)}). Run it "
            "again to go on where it stopped, or download the file yourself and name it with "
            "--source."
        ) from error
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}") from error
    except MolmetaError:
        raise
    except ValueError as error:
        raise InputError(
            f"What {source.url} gave is not the published {source.name}: its SHA-256 is not "
            f"{source.sha256}. It was thrown away; try again, or look for a copy elsewhere."
        ) from error
    return Path(path)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hex.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _checked_copy(source: Source, path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    if source.sha256 is not None and (found := file_sha256(path)) != source.sha256:
        raise InputError(
            f"{path} is not the published {source.name}: its SHA-256 is {found} and not "
            f"{source.sha256}. Download it again from {source.url}."
        )
    return path


class _ResumingDownloader:
    """Downloads into a file of its own that outlives a failure; pooch checks and names the result.

    pooch's own downloader begins anew each time.
    """

    def __init__(self, part: Path) -> None:
        self._part = part
        self._etag = part.with_name(f"{part.name}.etag")

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Download `url` and move it to `output_file`, a name in the same folder."""
        import requests

        with locked(self._part, os.O_RDWR | os.O_CREAT) as descriptor:
            with open(descriptor, "r+b", closefd=False) as file:
                for tries_left in reversed(range(_TRIES)):
                    try:
                        self._receive(url, file)
                        break
                    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                        if not tries_left or not file.tell():
                            raise
                file.flush()
                os.fsync(descriptor)
            self._part.replace(output_file)
            self._etag.unlink(missing_ok=True)

    def _receive(self, url: str, file: BinaryIO) -> None:
        """The rest of the file, or all of it where the server cannot go on."""
        import requests
        from tqdm import tqdm

        held = file.seek(0, os.SEEK_END)
        # A server may pack what it sends, and the lengths and ranges would not be the file's.
        headers = {"Accept-Encoding": "identity"}
        if held and self._etag.exists():
            headers |= {"Range": f"bytes={held}-", "If-Range": self._etag.read_text()}
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            told = response.headers
            if response.status_code == 416 and told.get("Content-Range") == f"bytes */{held}":
                return
            # Some answer "202 Accepted" and nothing else to what looks like a robot.
            if response.status_code not in (200, 206):
                raise requests.HTTPError(response=response)
            if not told.get("Content-Range", "").startswith(f"bytes {held}-"):
                held = file.seek(0)
                file.truncate()
            self._etag.unlink(missing_ok=True)
            if (etag := told.get("ETag", "W/")) and not etag.startswith("W/"):
                self._etag.write_text(etag)
            size = held + int(told["Content-Length"]) if "Content-Length" in told else None
            name = self._part.stem
            with tqdm(
                desc=name, total=size, initial=held, unit="B", unit_scale=True, disable=None
            ) as progress:
                for chunk in response.iter_content(_CHUNK):
                    file.write(chunk)
                    progress.update(len(chunk))
        if size is not None and file.tell() != size:
            raise requests.ConnectionError("the connection broke off")


def _reason(error: requests.RequestException) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "the server did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)
