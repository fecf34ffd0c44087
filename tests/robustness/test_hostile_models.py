"""Model files that ask for more than they bring: what they cost, measured in another process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from molmeta.checkpoint import save_checkpoint
from tests.tiny_model import tiny_checkpoint

ROOT = Path(__file__).parents[2]
MAX_MEGABYTES = 200
START = b'{"__metadata__":{"molmeta":"'

LOAD_ALL = """
import re, sys
from pathlib import Path
from molmeta.checkpoint import load_checkpoint
from molmeta.errors import CheckpointError

def megabytes(name):
    status = Path("/proc/self/status").read_text()
    return int(re.search(name + r":\\s+(\\d+) kB", status)[1]) // 1024

good, *bad = map(Path, sys.argv[1:])
load_checkpoint(good)
Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is used now
before = megabytes("VmRSS")
for path in bad:
    try:
        load_checkpoint(path)
        sys.exit(f"{path} was read")
    except CheckpointError as refusal:
        assert str(refusal).startswith(f"{path} cannot be used as a model: "), refusal
print(megabytes("VmHWM") - before)
"""


def header(entries: object, document: str = "{}", **changes: str) -> bytes:
    """A header as molmeta starts one, with these entries for its tensors."""
    metadata = {"molmeta": document, "sha256": "0" * 64, **changes}
    text = json.dumps({"__metadata__": metadata, **dict(entries)}, separators=(",", ":"))  # type: ignore[call-overload]
    return text.encode() + b" " * (-len(text) % 8)


def tensor(*shape: int, end: int, dtype: str = "F32") -> dict[str, object]:
    return {"a": {"dtype": dtype, "shape": list(shape), "data_offsets": [0, end]}}


def hostile(model: bytes) -> Iterator[tuple[str, bytes, int]]:
    """Name, content, and the size that the file is stretched to with a hole."""
    for length in (2**63, 2**64 - 1, 2**31, 2 << 20, 99_000_000):
        yield f"length{length}", length.to_bytes(8, "little") + START, 0
    yield "length_of_a_hole", (2 << 20).to_bytes(8, "little") + START, 1 << 40
    deep = START + b"[" * ((2 << 20) - len(START))
    many_keys = header([], '{"x":0' + ',"x":0' * 200_000 + "}")
    many_tensors = header(
        [(str(n), {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}) for n in range(30_000)]
    )
    wide = 1_000_000_000
    headers = {
        "deep": deep,
        "many_keys": many_keys,
        "many_tensors": many_tensors,
        "shape": header(tensor(wide, wide, end=4)),
        "shape_and_offsets": header(tensor(wide, wide, end=4 * wide * wide)),
        "2_gb": header(tensor(500_000_000, end=2_000_000_000)),
        "digits": header([], '{"x":' + "9" * 1_000_000 + "}"),
        "fraction": header([], '{"x":1e999999999}'),
        "nan": header([], '{"x":NaN}'),
        "no_digest": header([]).replace(b'"sha256"', b'"sha255"'),
        "dtype": header(tensor(1, end=4, dtype="F8_E4M3")),
    }
    for name, text in headers.items():
        yield name, len(text).to_bytes(8, "little") + text, 0
    # A header that is right, over a hole of 1.9 GB: only the hash tells.
    text = header(tensor(475_000_000, end=1_900_000_000))
    yield "hole", len(text).to_bytes(8, "little") + text, 8 + len(text) + 1_900_000_000
    yield "padded_model", model, 1 << 31


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_model_file_costs_more_memory_than_a_limit(tmp_path: Path) -> None:
    good = tmp_path / "good"
    save_checkpoint(good, tiny_checkpoint())
    bad = []
    for name, content, size in hostile(good.read_bytes()):
        bad.append(tmp_path / name)
        bad[-1].write_bytes(content)
        if size:
            os.truncate(bad[-1], size)
    words = [sys.executable, "-c", LOAD_ALL, str(good), *map(str, bad)]
    run = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert len(bad) > 18
    assert 0 <= int(run.stdout) < MAX_MEGABYTES


@pytest.mark.skipif(sys.platform == "win32", reason="has no such files")
@pytest.mark.parametrize("kind", ["/dev/zero", "/dev/null", "/dev/stdin", "fifo", "loop"])
def test_what_is_no_file_is_refused_unopened(tmp_path: Path, kind: str) -> None:
    from molmeta.checkpoint import load_checkpoint
    from molmeta.errors import CheckpointError

    path = Path(kind) if kind.startswith("/") else tmp_path / kind
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    with pytest.raises(CheckpointError, match="there is no file of that name"):
        load_checkpoint(path)
