import ast
import gzip
import json
import os
import pickle
import random
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from molmeta.assays.task import LabeledMolecules
from molmeta.checkpoint import (
    Checkpoint,
    Provenance,
    load_checkpoint,
    save_checkpoint,
    shipped_model_path,
)
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import CheckpointError, OutputError
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.registry import LEARNERS
from molmeta.sealed_file import read_sealed, write_sealed
from tests.molecules import DRUGS, key_of
from tests.tiny_model import SEEN, tiny_checkpoint

TINY = EncoderConfig(graph_layers=1, graph_width=4, ecfp_bits=8, hidden=4, dim=4)
PROVENANCE = Provenance(
    data="FS-Mol meta-train",
    licence="MIT",
    data_sha256=("ab" * 32, "cd" * 32),
    seed=2**40,
    steps=4000,
    code_version="0123abc",
    created="2026-01-31",
)
N_SUPPORT = 12


def learner_of(name, backend="torch"):
    """A learner whose every weight differs from what it was built with."""
    learner = LEARNERS[name](TINY, LEARNERS[name].Config(), backend)
    with torch.no_grad():
        for parameter in learner.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return learner.eval()


def checkpoint_of(name="protonet", **changes):
    keys = torch.tensor([5, -3, 5, 2**62])
    return replace(
        Checkpoint(learner_of(name), PROVENANCE, {"auprc": 0.25, "n_tasks": 157.0}, keys), **changes
    )


@pytest.fixture(scope="module")
def support(drugs):
    labels = (torch.arange(N_SUPPORT) % 3 == 0).float()
    return LabeledMolecules(drugs.gather(torch.arange(N_SUPPORT)), labels)


@pytest.fixture
def target(support):
    return checkpoint_of("deepkernel", support=support, support_smiles=DRUGS[:N_SUPPORT])


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.molmeta"
    save_checkpoint(path, checkpoint_of())
    return path


@pytest.fixture
def target_model(tmp_path, target):
    path = tmp_path / "target.molmeta"
    save_checkpoint(path, target)
    return path


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(f"{path} cannot be used as a model: ")
    assert message.endswith(".")
    return message


def reseal(path, change):
    """The model at `path` with `change` made to its document and tensors, and a matching hash."""
    content = read_sealed(path)
    change(content.document, content.tensors)
    write_sealed(path, content.document, content.tensors, overwrite=True)


# PyTorch Geometric compiles a few functions with torch.jit when it is imported.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("backend", ["torch", "pyg"])
@pytest.mark.parametrize("name", LEARNERS)
def test_a_loaded_learner_gives_equal_logits_to_the_last_bit(
    tmp_path, name, backend, support, drugs
):
    checkpoint = checkpoint_of(name, learner=learner_of(name, backend))
    save_checkpoint(tmp_path / "a", checkpoint)
    loaded = load_checkpoint(tmp_path / "a", backend=backend)
    before = checkpoint.learner.adapt(support)(drugs)
    after = loaded.learner.adapt(support)(drugs)
    assert torch.equal(after.logit, before.logit)
    assert torch.equal(after.deviation.nan_to_num(-1), before.deviation.nan_to_num(-1))


def test_what_the_learner_comes_from_and_has_seen_is_kept(model):
    loaded = load_checkpoint(model)
    assert loaded.provenance == PROVENANCE
    assert loaded.metrics == {"auprc": 0.25, "n_tasks": 157.0}
    assert loaded.seen_keys.tolist() == [-3, 5, 2**62]
    assert loaded.support is None
    assert loaded.support_smiles == ()
    assert loaded.sha256 == read_sealed(model).sha256


def test_a_learner_that_has_seen_nothing_is_kept(tmp_path):
    empty = torch.zeros(0, dtype=torch.int64)
    save_checkpoint(tmp_path / "a", checkpoint_of(seen_keys=empty))
    assert torch.equal(load_checkpoint(tmp_path / "a").seen_keys, empty)


def test_settings_are_kept(tmp_path):
    config = LEARNERS["protonet"].Config(ridge=0.5)
    learner = LEARNERS["protonet"](TINY, config, "torch")
    save_checkpoint(tmp_path / "a", checkpoint_of(learner=learner))
    loaded = load_checkpoint(tmp_path / "a").learner
    assert loaded.config == config
    assert loaded.encoder.config == TINY


def test_a_target_file_alone_scores_as_before(target_model, target, drugs):
    loaded = load_checkpoint(target_model)
    assert loaded.support_smiles == DRUGS[:N_SUPPORT]
    before = target.learner.adapt(target.support)(drugs)
    after = loaded.learner.adapt(loaded.support)(drugs)
    assert torch.equal(after.logit, before.logit)
    assert torch.equal(after.deviation, before.deviation)


def test_a_target_of_actives_alone_is_kept(tmp_path, target, support):
    actives = LabeledMolecules(support.molecules, torch.ones(N_SUPPORT))
    save_checkpoint(tmp_path / "a", replace(target, support=actives))
    assert load_checkpoint(tmp_path / "a").support.labels.tolist() == [1.0] * N_SUPPORT


def test_a_loaded_learner_is_in_evaluation_mode_and_can_be_trained_on(model):
    learner = load_checkpoint(model).learner
    assert not learner.training
    assert all(parameter.requires_grad for parameter in learner.parameters())


def test_loading_draws_no_random_number(model):
    before = torch.get_rng_state()
    load_checkpoint(model)
    assert torch.equal(torch.get_rng_state(), before)


def test_equal_checkpoints_give_equal_files(tmp_path, model):
    save_checkpoint(tmp_path / "again", load_checkpoint(model))
    assert (tmp_path / "again").read_bytes() == model.read_bytes()


def test_half_precision_rounds_matrices_to_11_bits_and_keeps_all_else(tmp_path):
    checkpoint = checkpoint_of()
    save_checkpoint(tmp_path / "half", checkpoint, half=True)
    save_checkpoint(tmp_path / "full", checkpoint)
    assert (tmp_path / "half").stat().st_size < (tmp_path / "full").stat().st_size
    found = load_checkpoint(tmp_path / "half").learner.state_dict()
    for name, weight in checkpoint.learner.state_dict().items():
        assert found[name].dtype == weight.dtype
        if weight.ndim > 1:
            # The smallest float16 of full precision is 2^-14; below it the spacing is 2^-24.
            torch.testing.assert_close(found[name], weight, rtol=2**-11, atol=2**-24)
        else:
            assert torch.equal(found[name], weight)


def test_d14_a_file_does_not_say_on_which_device_it_was_written(model):
    assert b"cuda" not in model.read_bytes()
    assert b"device" not in model.read_bytes()
    assert {p.device.type for p in load_checkpoint(model).learner.parameters()} == {"cpu"}


def spoil(name, value):
    """Change that puts `value` first in the tensor `name`."""

    def change(document, tensors):
        tensors[name].view(-1)[0] = value

    return change


def put(**entries):
    return lambda document, tensors: document.update(entries)


def configure(where, **entries):
    return lambda document, tensors: document[where].update(entries)


def drop(name):
    return lambda document, tensors: (tensors if name in tensors else document).pop(name)


def add(name, tensor):
    return lambda document, tensors: tensors.update({name: tensor})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(configure("encoder_config", graph_layers=10**6), "at most 64", id="D8-layers"),
        pytest.param(configure("encoder_config", hidden=10**9), "at most 65536", id="D8-width"),
        pytest.param(
            configure("encoder_config", hidden=65_536), "weight", id="D8-big-for-its-file"
        ),
        pytest.param(configure("encoder_config", hidden=0), "at least 1", id="D8-no-width"),
        pytest.param(put(format_version=3, x=1), "version 3.*Upgrade molmeta", id="D9-newer"),
        pytest.param(put(format_version=0), "version 0.*Use an older", id="D9-oldest"),
        pytest.param(put(format_version=1), "version 1.*Use an older", id="D9-older"),
        pytest.param(put(format_version=True), "version True.*Use an older", id="D9-true"),
        # Equal to the version, and no whole number.
        pytest.param(put(format_version=2.0), "format_version cannot be 2.0", id="D9-float"),
        pytest.param(put(format_version="1"), "version '1'", id="D9-text"),
        pytest.param(drop("format_version"), "version None", id="D10-no-version"),
        pytest.param(lambda d, t: d.clear(), "version None", id="D10-no-description"),
        pytest.param(put(format="other"), "format cannot be 'other'", id="D10-other-format"),
        pytest.param(put(kind="heap"), "kind cannot be 'heap'", id="D10-unknown-kind"),
        pytest.param(put(learner="svm"), "'svm' is unknown here", id="D10-unknown-method"),
        pytest.param(put(learner="maml"), "learner_config has no entry", id="D10-other-method"),
        pytest.param(put(learner="anil", learner_config={}), "missing", id="D10-other-weights"),
        pytest.param(put(colour=1), "has no entry 'colour'", id="D10-unknown-entry"),
        pytest.param(drop("provenance"), "lacks the entry provenance", id="D10-no-provenance"),
        pytest.param(configure("provenance", seed="x"), "seed cannot be 'x'", id="D10-seed"),
        pytest.param(configure("metrics", auprc="high"), "cannot be 'high'", id="D10-metric"),
        pytest.param(configure("encoder_config", depth=1), "no entry 'depth'", id="D10-encoder"),
        pytest.param(configure("learner_config", ridge="x"), "ridge cannot be", id="D10-setting"),
        pytest.param(configure("learner_config", ridge=-1.0), "above 0", id="D10-range"),
        pytest.param(
            put(learner="anil", learner_config={"head_init": "best"}), "'best'", id="D10-choice"
        ),
        pytest.param(put(features_version=1), "features of version 1.*version 3", id="D11"),
        pytest.param(
            put(support_smiles=["C"]), "names 1 support compounds", id="D10-support-of-none"
        ),
        pytest.param(drop("seen_keys"), "lacks the list", id="D10-no-seen-keys"),
        pytest.param(add("seen_keys", torch.tensor([2, 1])), "ascending", id="D10-unsorted"),
        pytest.param(add("seen_keys", torch.tensor([1.0])), "lacks the list", id="D10-seen-dtype"),
        pytest.param(add("seen_keys.x", torch.tensor(1)), "lacks the list", id="D10-seen-twice"),
        pytest.param(
            drop("learner.encoder.mix.0.weight"), "1 are missing", id="D10-weight-missing"
        ),
        pytest.param(add("learner.x", torch.ones(1)), "1 unknown", id="D10-weight-unknown"),
        pytest.param(
            add("../../x", torch.ones(1)), "no tensor of a learner", id="D13-name-as-path"
        ),
        pytest.param(
            add("learner.temperature.law", torch.ones(1)), "shape", id="D10-weight-of-another-shape"
        ),
        pytest.param(
            add("learner.temperature.law", torch.tensor([1, 1])),
            "int64",
            id="D10-weight-of-another-type",
        ),
        pytest.param(spoil("learner.encoder.mix.3.weight", torch.nan), "NaN", id="D12-NaN"),
        pytest.param(spoil("learner.encoder.mix.3.weight", -torch.inf), "infinity", id="D12-inf"),
    ],
)
def test_a_file_with_a_true_hash_and_false_contents_is_refused(model, change, sentence):
    reseal(model, change)
    with pytest.raises(CheckpointError, match=sentence):
        load_checkpoint(model)
    assert refusal(model)
    assert sorted(model.parent.iterdir()) == [model]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (spoil("support.labels", 0.5), "not all 0 or 1"),
        (spoil("support.labels", torch.nan), "NaN"),
        (add("support.labels", torch.ones(3)), r"shape \[3\]"),
        (drop("support.labels"), r"shape \[0\]"),
        (put(support_smiles=[]), "names 0 support compounds"),
        (put(support_smiles=["C"]), "for 1 support compounds"),
        (put(support_smiles=["C"] * (N_SUPPORT - 1) + [1]), "cannot be 1"),
        (spoil("support.atom_offsets", 7), "do not ascend"),
        (spoil("support.bonds", 30_000), "no molecule can have"),
        (drop("support.keys"), "lack the array 'keys'"),
        (put(kind="learner", support_smiles=[]), "no tensor of a learner"),
    ],
)
def test_a_target_whose_support_cannot_be_is_refused(target_model, change, sentence):
    reseal(target_model, change)
    with pytest.raises(CheckpointError, match=sentence):
        load_checkpoint(target_model)


LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "not a molmeta model but an empty file", id="D1"),
        pytest.param(b"hello\n", "not a molmeta model", id="D3-text"),
        pytest.param(b"<!DOCTYPE html><p>404", "not a molmeta model but a web page", id="D3-html"),
        pytest.param(LFS_POINTER, "not a molmeta model but a Git LFS pointer", id="D3-lfs"),
        pytest.param(pickle.dumps({}), "not a molmeta model but a Python pickle", id="D5-pickle"),
        pytest.param(b"PK\x03\x04rest", "not a molmeta model but a zip archive", id="D5-zip"),
        pytest.param(
            safetensors.torch.save({"a": torch.ones(1)}, {"format": "pt"}),
            "another program's safetensors file",
            id="D10-no-manifest",
        ),
    ],
)
def test_what_is_not_a_model_is_named(tmp_path, content, sentence):
    (tmp_path / "a").write_bytes(content)
    assert sentence in refusal(tmp_path / "a")


def test_d2_d4_a_cut_or_altered_model_is_refused(model):
    whole = model.read_bytes()
    for size in (len(whole) // 2, len(whole) - 1):
        model.write_bytes(whole[:size])
        assert "damaged" in refusal(model)
    model.write_bytes(whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
    assert "sha256 does not match" in refusal(model)


def test_d2_a_model_cut_off_anywhere_is_refused(model):
    header = 8 + int.from_bytes(model.read_bytes()[:8], "little")
    sizes = [*range(header + 1), *range(header + 1, model.stat().st_size, 7)]
    for size in reversed(sizes):
        os.truncate(model, size)
        refusal(model)


def test_d4_500_flipped_bits_are_refused_one_by_one(model):
    whole = model.read_bytes()
    for _ in range(500):
        flipped = bytearray(whole)
        flipped[random.randrange(len(whole))] ^= 1 << random.randrange(8)
        model.write_bytes(flipped)
        refusal(model)


def test_d13_a_link_to_a_model_is_read_and_one_to_nothing_is_refused(model):
    link = model.parent / "link"
    link.symlink_to(model)
    assert load_checkpoint(link).provenance == PROVENANCE
    model.unlink()
    assert "no file of that name" in refusal(link)


def test_d15_a_folder_of_models_asks_for_a_name(model):
    assert "it is a folder; name the model file" in refusal(model.parent)


class Bomb:
    """Something whose unpickling writes a file."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


def hostile_files(folder, model, canary):
    """D5, D6, D7, D13: files that execute code, write elsewhere or fill the memory in others."""
    bombs = [pickle.dumps(Bomb(canary), protocol) for protocol in range(6)]
    files = {f"pickle{i}": bomb for i, bomb in enumerate(bombs)}
    files |= {f"padded{i}": b"\0" * 8 + bomb for i, bomb in enumerate(bombs)}
    files |= {f"gzip{i}": gzip.compress(bomb) for i, bomb in enumerate(bombs)}
    files |= {f"after_model{i}": model.read_bytes() + bomb for i, bomb in enumerate(bombs)}
    header = json.dumps({"__metadata__": {"molmeta": bombs[0].decode()}}).encode()
    files["in_header"] = len(header).to_bytes(8, "little") + header
    start = b'{"__metadata__":{"molmeta":"'
    for name, length in (("2^63", 2**63), ("all", 2**64 - 1), ("2MB", 2 << 20)):
        files[f"header_{name}"] = length.to_bytes(8, "little") + start
    files["header_99MB"] = (99_000_000).to_bytes(8, "little") + start + b" " * 99_000_000
    nested = start + b"[[],[" * ((2 << 20) // 5 - 8)
    files["nested"] = len(nested).to_bytes(8, "little") + nested
    for name, content in files.items():
        (folder / name).write_bytes(content)
    torch.save(Bomb(canary), folder / "torch.pt")
    torch.save(Bomb(canary), folder / "torch_old.pt", _use_new_zipfile_serialization=False)
    np.save(folder / "array.npy", np.array([Bomb(canary)], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(folder / "slip.zip", "w") as archive:
        archive.writestr("../../escaped", "x")
        archive.writestr("/tmp/escaped-from-molmeta", "x")
    with tarfile.open(folder / "slip.tar", "w") as archive:
        archive.add(folder / "pickle0", arcname="../escaped")


WATCHED_LOAD = """
import os, resource, sys
from pathlib import Path
from molmeta.checkpoint import load_checkpoint
from molmeta.errors import CheckpointError

folder, good = map(Path, sys.argv[1:])
load_checkpoint(good)

def watch(event, arguments):
    if event.startswith(("pickle.", "subprocess.", "socket.", "os.system", "os.exec", "os.fork")):
        os.write(2, event.encode())
        os._exit(99)
    if event == "open" and arguments[1] and arguments[1] not in ("r", "rb"):
        os.write(2, repr(arguments).encode())
        os._exit(98)

sys.addaudithook(watch)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000, -1))
files = sorted(folder.iterdir())
for path in files:
    try:
        load_checkpoint(path)
    except CheckpointError:
        continue
    sys.exit(f"{path} was accepted")
print(len(files))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_d5_d6_d7_hostile_files_run_nothing_write_nothing_and_fit_in_100_mb(tmp_path, model):
    folder, canary = tmp_path / "hostile", tmp_path / "canary"
    folder.mkdir()
    hostile_files(folder, model, canary)
    run = subprocess.run(
        [sys.executable, "-c", WATCHED_LOAD, str(folder), str(model)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert int(run.stdout) == len(list(folder.iterdir())) > 30
    assert not canary.exists()
    assert not (tmp_path / "escaped").exists()


def test_d16_no_line_of_the_package_can_unpickle_a_file():
    root = Path(__file__).parents[1]
    forbidden = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
    files = [*root.glob("molmeta/**/*.py"), *root.glob("cli/**/*.py")]
    assert len(files) > 20
    for file in files:
        text = file.read_text(encoding="utf-8")
        for word in ("weights_only", "torch.load", "allow_pickle", "read_pickle"):
            assert word not in text, f"{file} holds {word}"
        for node in ast.walk(ast.parse(text)):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {name.partition(".")[0] for name in names} & forbidden, str(file)


def test_an_existing_model_is_kept_unless_overwriting_is_allowed(model, target):
    before = model.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        save_checkpoint(model, target)
    assert model.read_bytes() == before
    save_checkpoint(model, target, overwrite=True)
    assert load_checkpoint(model).support_smiles == target.support_smiles


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"metrics": {"auprc": float("nan")}}, "metrics.auprc cannot be nan"),
        ({"support_smiles": ("C",)}, "names 1 support compounds"),
        ({"seen_keys": torch.ones(2, 2)}, "lacks the list"),
    ],
)
def test_what_could_not_be_loaded_again_does_not_replace_a_model(model, changes, sentence):
    before = model.read_bytes()
    with pytest.raises(OutputError, match=sentence):
        save_checkpoint(model, checkpoint_of(**changes), overwrite=True)
    assert model.read_bytes() == before


@pytest.mark.parametrize(("value", "half"), [(torch.nan, False), (70_000.0, True)])
def test_weights_that_are_no_numbers_do_not_replace_a_model(model, value, half):
    checkpoint, before = checkpoint_of(), model.read_bytes()
    with torch.no_grad():
        checkpoint.learner.encoder.mix[3].weight[0, 0] = value
    with pytest.raises(OutputError, match="holds NaN or infinity"):
        save_checkpoint(model, checkpoint, half=half, overwrite=True)
    assert model.read_bytes() == before


def test_the_shipped_model_is_found_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    with pytest.raises(CheckpointError, match="has no model"):
        shipped_model_path()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "default.molmeta").touch()
    assert shipped_model_path() == tmp_path / "models" / "default.molmeta"


def _with_memory() -> Checkpoint:
    checkpoint = tiny_checkpoint()
    keys = torch.tensor([key_of(SEEN), key_of("CCO")]).sort().values
    checkpoint.learner.memory = CompoundMemory(
        keys=keys,
        offsets=torch.tensor([0, 2, 3]),
        assays=torch.tensor([0, 7, 3], dtype=torch.int32),
        grades=torch.tensor([0.5, -0.25, 0.5], dtype=torch.float16),
        heights=torch.tensor([0.5, -0.25, 0.5], dtype=torch.float16),
    )
    return checkpoint


def test_a_compound_memory_comes_back_and_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "model.molmeta"
    checkpoint = _with_memory()
    save_checkpoint(path, checkpoint)
    loaded = load_checkpoint(path).learner.memory
    assert loaded is not None
    assert checkpoint.learner.memory is not None
    for field in fields(CompoundMemory):
        expected = getattr(checkpoint.learner.memory, field.name)
        torch.testing.assert_close(getattr(loaded, field.name), expected, rtol=0, atol=0)
    assert load_checkpoint(path, memory=False).learner.memory is None


@pytest.mark.parametrize(
    "change",
    [
        {"offsets": torch.tensor([0, 2, 9])},
        {"offsets": torch.tensor([0, 3, 2])},
        {"offsets": torch.tensor([0, 3])},
        {"keys": torch.tensor([5, 5])},
        {"assays": torch.tensor([0, -7, 3], dtype=torch.int32)},
        {"grades": torch.tensor([0.5, 0.25], dtype=torch.float16)},
        {"heights": torch.tensor([0.5, 0.25], dtype=torch.float16)},
        {"heights": torch.tensor([0.5, torch.nan, 0.5], dtype=torch.float16)},
        {"assays": torch.tensor([0, 7, 3])},
    ],
    ids=str,
)
def test_a_memory_that_does_not_fit_together_is_not_written(
    tmp_path: Path, change: dict[str, torch.Tensor]
) -> None:
    checkpoint = _with_memory()
    assert checkpoint.learner.memory is not None
    checkpoint.learner.memory = replace(checkpoint.learner.memory, **change)
    with pytest.raises(OutputError, match="could not be used"):
        save_checkpoint(tmp_path / "model.molmeta", checkpoint)
