"""ReadTexts: the molecules of many texts, read once by all cores and kept in a file."""

from __future__ import annotations

import json
import multiprocessing
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from molmeta.chem.batch import MoleculeBatch, concatenate
from molmeta.sealed_file import content_sha256
from molmeta.whole_file import whole_file

_CHUNK = 2_000
"""Texts that a process reads at a time."""


@dataclass(frozen=True, slots=True)
class ReadTexts:
    """What the intake made of n texts."""

    molecules: MoleculeBatch
    """[k], featurised."""
    places: Tensor
    """[n], int64: each text's place among the molecules, -1 where it was turned away."""
    rejected: dict[str, str]
    """The texts that were turned away, with the reason."""


def read_texts(texts: Sequence[str], workers: int | None) -> ReadTexts:
    """Read and featurise texts, with a bar of progress.

    Args:
        texts: [n], one at least.
        workers: processes that read; all cores if None.
    """
    from tqdm import tqdm

    chunks = [texts[i : i + _CHUNK] for i in range(0, len(texts), _CHUNK)]
    n_workers = min(workers or os.cpu_count() or 1, len(chunks))
    progress = tqdm(total=len(texts), desc="featurise", unit="mol", disable=None)
    with progress:
        if n_workers <= 1:
            parts = []
            for chunk in chunks:
                parts.append(_read_chunk(chunk))
                progress.update(len(chunk))
        else:
            # Not fork: torch's threads may hold locks that a forked child would wait for.
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(n_workers, mp_context=context) as pool:
                parts = []
                for chunk, part in zip(chunks, pool.map(_read_chunk, chunks), strict=True):
                    parts.append(part)
                    progress.update(len(chunk))
    molecules = concatenate([batch for batch, _, _ in parts])
    accepted = torch.cat([ok for _, ok, _ in parts])
    places = torch.where(accepted, accepted.long().cumsum(0) - 1, -1)
    rejected = {text: reason for _, _, bad in parts for text, reason in bad.items()}
    return ReadTexts(molecules, places, rejected)


def _read_chunk(texts: Sequence[str]) -> tuple[MoleculeBatch, Tensor, dict[str, str]]:
    # Imported here: with cached arrays a store opens, and a model trains, without RDKit.
    from molmeta.chem.features import featurize
    from molmeta.chem.intake import Molecule, Rejection, read_smiles

    results = [read_smiles(text) for text in texts]
    batch = featurize([r for r in results if isinstance(r, Molecule)])
    accepted = torch.tensor([isinstance(r, Molecule) for r in results])
    rejected = {
        str(text): result.reason
        for text, result in zip(texts, results, strict=True)
        if isinstance(result, Rejection)
    }
    return batch, accepted, rejected


def kept(cache: Path, sha256: str) -> ReadTexts | None:
    """What `keep` wrote for texts of that hash; None if there is nothing, or a damage."""
    from safetensors import SafetensorError, safe_open

    if not cache.is_file():
        return None
    try:
        with safe_open(cache, framework="pt") as file:
            header = json.loads((file.metadata() or {})["sealed"])
            if header["sha256"] != sha256:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header["content_sha256"] != content_sha256(header["rejected"], tensors):
            return None
        places = tensors.pop("place_of_text")
        return ReadTexts(MoleculeBatch(**tensors), places, json.loads(header["rejected"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError):
        return None


def keep(read: ReadTexts, cache: Path, sha256: str) -> None:
    """Write what was read to `cache`, for `kept`; where that cannot be, a warning says so.

    Args:
        read: from texts.
        cache: the file.
        sha256: of what the texts came from.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {**read.molecules.tensors(), "place_of_text": read.places}
    text = json.dumps(read.rejected)
    digest = content_sha256(text, tensors)
    # One entry: safetensors writes several in an order that changes from file to file.
    header = json.dumps({"sha256": sha256, "content_sha256": digest, "rejected": text})
    try:
        with whole_file(cache) as unfinished:
            save_file(tensors, unfinished, metadata={"sealed": header})
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        warnings.warn(
            f"The featurised molecules could not be kept at {cache} ({reason}); "
            "they will be computed again next time.",
            stacklevel=4,
        )
