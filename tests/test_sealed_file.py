import errno
import json
import os
import random

import pytest
import safetensors.torch
import torch

from molmeta.errors import CheckpointError, OutputError
from molmeta.sealed_file import MAX_HEADER_BYTES, read_sealed, write_sealed

DOCUMENT = {"name": "größe", "list": [1, 2.5, True], "nested": {"empty": {}}}
TENSORS = {
    "weights": torch.tensor([[1.5, -2.0], [0.0, -0.0]]),
    "half": torch.tensor([1.0, 0.5, 65504.0], dtype=torch.float16),
    "keys": torch.tensor([-(2**63), 2**63 - 1]),
    "ids": torch.tensor([-(2**31)], dtype=torch.int32),
    "pairs": torch.zeros((0, 2), dtype=torch.int16),
    "scalar": torch.tensor(3.0),
    "bytes": torch.arange(3, dtype=torch.uint8),
}


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / "a.molmeta"
    write_sealed(path, DOCUMENT, TENSORS, overwrite=False)
    return path


def forge(path, header, content=b""):
    path.write_bytes(len(header).to_bytes(8, "little") + header + content)


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        read_sealed(path)
    return str(caught.value)


def test_what_was_written_comes_back_bit_for_bit(sealed):
    found = read_sealed(sealed)
    assert found.document == DOCUMENT
    assert found.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert found.tensors[name].shape == tensor.shape
        assert found.tensors[name].numpy().tobytes() == tensor.numpy().tobytes()


def test_the_safetensors_library_reads_the_same_tensors(sealed):
    found = safetensors.torch.load_file(sealed)
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)
    with safetensors.safe_open(sealed, framework="pt") as file:
        assert json.loads(file.metadata()["molmeta"]) == DOCUMENT
        assert file.metadata()["sha256"] == read_sealed(sealed).sha256


def test_equal_contents_give_equal_files_in_any_order_of_the_tensors(sealed, tmp_path):
    backwards = dict(reversed(TENSORS.items()))
    write_sealed(tmp_path / "b", DOCUMENT, backwards, overwrite=False)
    assert (tmp_path / "b").read_bytes() == sealed.read_bytes()


def test_a_file_cut_off_anywhere_is_refused(sealed):
    for size in reversed(range(sealed.stat().st_size)):
        os.truncate(sealed, size)
        refusal(sealed)


def test_a_longer_file_is_refused(sealed):
    with sealed.open("ab") as file:
        file.write(b"\0")
    assert "should have" in refusal(sealed)


def test_a_flipped_bit_in_any_byte_is_refused(sealed):
    content = bytearray(sealed.read_bytes())
    for place in range(len(content)):
        flipped = content.copy()
        flipped[place] ^= 1 << random.randrange(8)
        sealed.write_bytes(flipped)
        refusal(sealed)


def test_random_changes_of_several_bytes_are_refused(sealed):
    original = sealed.read_bytes()
    for _ in range(300):
        content = bytearray(original)
        for _ in range(random.randint(1, 8)):
            content[random.randrange(len(content))] = random.randrange(256)
        if content != original:
            sealed.write_bytes(content)
            refusal(sealed)


def table(entries, document="{}"):
    """A header that starts as molmeta's does, from pieces of JSON text."""
    metadata = {"molmeta": document, "sha256": "0" * 64}
    text = json.dumps({"__metadata__": metadata}, separators=(",", ":"))[:-1]
    header = (text + entries + "}").encode()
    return header + b" " * (-len(header) % 8)


ONE = ',"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(table(ONE + ONE), id="D7-duplicate-tensor"),
        pytest.param(table(ONE, '{"x":1,"x":2}'), id="D7-duplicate-key"),
        pytest.param(table(ONE, '{"x":NaN}'), id="D7-NaN"),
        pytest.param(table(ONE, '{"x":1e999}'), id="D7-infinity"),
        pytest.param(table(ONE, '{"x":"\\ud800"}'), id="D7-half-a-character"),
        pytest.param(table(ONE, '{"x":' + "9" * 5000 + "}"), id="D7-number-of-5000-digits"),
        pytest.param(table(ONE, '{"x":' + "[" * 200_000), id="D7-nested-200000-deep"),
        pytest.param(table(ONE, "[]"), id="D7-document-is-a-list"),
        pytest.param(table(ONE, '{"x": 1}'), id="D7-space-in-json"),
        pytest.param(table(ONE + ONE.replace('"a"', '"b"')), id="D7-overlapping"),
        pytest.param(table(ONE.replace("[0,4]", "[4,8]")), id="D7-gap"),
        pytest.param(table(ONE.replace("[0,4]", "[4,0]")), id="D7-backwards"),
        pytest.param(table(ONE.replace("[1]", "[2]")), id="D7-shape-and-offsets-disagree"),
        pytest.param(table(ONE.replace("[1]", "[-1]")), id="D7-negative-shape"),
        pytest.param(table(ONE.replace("[1]", "[1.0]").replace("4]", "4.0]")), id="D7-fraction"),
        pytest.param(table(ONE.replace("[1]", "[true]")), id="D7-true-as-size"),
        pytest.param(table(ONE.replace("[1]", '"1"')), id="D7-shape-is-text"),
        pytest.param(table(ONE.replace("F32", "F64")), id="D7-unknown-dtype"),
        pytest.param(table(ONE.replace('"F32"', "[]")), id="D7-dtype-is-a-list"),
        pytest.param(table(',"a":5'), id="D7-entry-is-a-number"),
        pytest.param(table(ONE.replace("[1]", "[" + "9," * 300_000 + "9]")), id="D8-dimensions"),
        pytest.param(
            table(',"a":{"dtype":"F32","shape":[1000000000,1000000000],"data_offsets":[0,4]}'),
            id="D8-1e9-by-1e9",
        ),
        pytest.param(
            table(
                ',"a":{"dtype":"F32","shape":[1000000000,1000000000],'
                '"data_offsets":[0,4000000000000000000]}'
            ),
            id="D8-1e9-by-1e9-with-its-offsets",
        ),
        pytest.param(
            table(',"a":{"dtype":"F32","shape":[0,1000000000000000000],"data_offsets":[0,0]}'),
            id="D8-no-rows-of-1e18",
        ),
        pytest.param(table(ONE).replace(b'"sha256"', b'"sha257"'), id="D10-no-sha256"),
        pytest.param(table(ONE).replace(b'"0000', b'["000'), id="D10-broken-sha256"),
    ],
)
def test_a_hostile_header_is_refused_as_forged(tmp_path, header):
    forge(tmp_path / "a", header, b"\0" * 4)
    assert "its header is not as molmeta writes it" in refusal(tmp_path / "a")


def test_a_well_formed_header_over_too_few_bytes_is_refused_before_they_are_asked_for(tmp_path):
    entry = ',"a":{"dtype":"F32","shape":[500000000],"data_offsets":[0,2000000000]}'
    forge(tmp_path / "a", table(entry), b"\0" * 4)
    assert "should have 20000" in refusal(tmp_path / "a")


def test_a_wrong_sha256_is_refused(tmp_path):
    forge(tmp_path / "a", table(ONE), b"\0" * 4)
    assert "sha256 does not match" in refusal(tmp_path / "a")


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, MAX_HEADER_BYTES + 8])
def test_a_header_longer_than_any_is_refused_unread(tmp_path, length):
    (tmp_path / "a").write_bytes(length.to_bytes(8, "little") + table(ONE))
    assert "larger than any molmeta model" in refusal(tmp_path / "a")


def test_a_file_larger_than_any_is_refused_unread(sealed):
    os.truncate(sealed, 1 << 40)
    assert "larger than any molmeta model" in refusal(sealed)


def test_a_named_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "no file of that name" in refusal(tmp_path / "pipe")


def test_an_existing_file_is_kept_unless_overwriting_is_allowed(sealed):
    before = sealed.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        write_sealed(sealed, {}, {}, overwrite=False)
    assert sealed.read_bytes() == before
    write_sealed(sealed, {"new": 1}, {}, overwrite=True)
    assert read_sealed(sealed).document == {"new": 1}


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(sealed, monkeypatch, failing):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = sealed.read_bytes()
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OutputError, match="No space left"):
        write_sealed(sealed, DOCUMENT, TENSORS, overwrite=True)
    assert sealed.read_bytes() == before
    assert list(sealed.parent.iterdir()) == [sealed]


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"x": float("nan")}, "not plain JSON"),
        ({"x": {1, 2}}, "not plain JSON"),
        ({"x": "\ud800"}, "not plain JSON"),
        ({"x": "C" * MAX_HEADER_BYTES}, "at most"),
    ],
)
def test_a_document_that_could_not_be_read_again_is_not_written(tmp_path, document, sentence):
    with pytest.raises(OutputError, match=sentence):
        write_sealed(tmp_path / "a", document, {}, overwrite=False)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"nowhere.*cannot be written: No such file"):
        write_sealed(tmp_path / "nowhere" / "a", {}, {}, overwrite=False)
