"""One encoder with weights of its own for each task, in one pass over the molecules of all tasks.

The encoder's own code runs, on weights that are stacked, [n_tasks, ...]. Where they meet the rows
of a tensor each row gets those of its task: a linear layer becomes one matrix product a task, all
in one batch, and an embedding a look into the task's own table. So many tasks issue hardly more
kernels than one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.fused import FusedEncoder


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a tensor, those of the first task first."""

    task: Tensor
    """[n_rows], int64: the task of each."""
    place: Tensor
    """[n_rows], int64: where each stands once all tasks are filled up to the longest."""
    longest: int

    @classmethod
    def of(cls, sizes: Tensor) -> Self:
        """Rows of which task i has `sizes[i]`."""
        task = torch.arange(len(sizes), device=sizes.device).repeat_interleave(sizes)
        longest = int(sizes.max())
        gaps = (longest - sizes).cumsum(0) - (longest - sizes)  # before each task, once filled up
        place = torch.arange(len(task), device=sizes.device) + gaps.index_select(0, task)
        return cls(task, place, longest)


def encode_stacked(
    encoder: FusedEncoder,
    weights: Mapping[str, Tensor],
    molecules: MoleculeBatch,
    sizes: Sequence[int],
) -> Tensor:
    """The embedding of each molecule under the weights of its task: [n, dim].

    Args:
        encoder: whose code and buffers are taken.
        weights: every parameter by name, [n_tasks, *its shape].
        molecules: those of the first task, then of the second, ...
        sizes: how many each task has; none is 0.
    """
    of_task = Rows.of(torch.tensor(sizes, device=molecules.device))
    n_tasks = len(sizes)
    atoms, bonds = (
        torch.zeros(n_tasks, dtype=torch.int64, device=molecules.device).index_add(
            0, of_task.task, offsets.diff()
        )
        for offsets in (molecules.atom_offsets, molecules.bond_offsets)
    )
    of_atom, of_bond = Rows.of(atoms), Rows.of(bonds)
    # Each bond comes twice, all in one direction before all in the other: see `edge_index`.
    of_edge = Rows(of_bond.task.repeat(2), of_bond.place.repeat(2), of_bond.longest)

    def rows_under(name: str) -> Rows:
        if name.startswith("graph.bond_embeddings."):
            return of_edge
        return of_atom if name.startswith("graph.") else of_task

    stacked: dict[str, Tensor] = {
        name: _Stacked.of(value, rows_under(name)) for name, value in weights.items()
    }
    # With a gradient, even where nobody asks for one: else the encoder would take its other way,
    # which is not made for stacked weights.
    with torch.enable_grad():
        vectors: Tensor = torch.func.functional_call(encoder, stacked, (molecules,))
    return vectors


class _Stacked(Tensor):
    """A parameter of every task, which acts on each row with that of the row's task."""

    weights: Tensor
    """[n_tasks, *shape]; a plain tensor."""
    rows: Rows

    @classmethod
    def of(cls, weights: Tensor, rows: Rows) -> Self:
        stacked = weights.as_subclass(cls)
        stacked.weights, stacked.rows = weights, rows
        return stacked

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        rule = _RULES.get(func)
        if rule is not None:
            return rule(*args, **(kwargs or {}))
        # A scalar, such as ε of a GINE layer: each row has its own, [n_rows, 1].
        plain = [
            arg.weights.index_select(0, arg.rows.task) if isinstance(arg, cls) else arg
            for arg in args
        ]
        return func(*plain, **(kwargs or {}))


def _linear(x: Tensor, weight: _Stacked, bias: _Stacked) -> Tensor:
    rows, n_tasks = weight.rows, len(weight.weights)
    padded = x.new_zeros(n_tasks * rows.longest, x.shape[1]).index_copy(0, rows.place, x)
    padded = padded.view(n_tasks, rows.longest, x.shape[1])
    products = torch.baddbmm(bias.weights[:, None], padded, weight.weights.mT)
    return products.flatten(0, 1).index_select(0, rows.place)


def _layer_norm(
    x: Tensor, shape: Sequence[int], weight: _Stacked, bias: _Stacked, eps: float
) -> Tensor:
    task = weight.rows.task
    scale, shift = (one.weights.index_select(0, task) for one in (weight, bias))
    return F.layer_norm(x, shape, eps=eps) * scale + shift


def _embedding(index: Tensor, weight: _Stacked, **settings: object) -> Tensor:
    tables = weight.weights
    return F.embedding(index + weight.rows.task * tables.shape[1], tables.flatten(0, 1))


_RULES: dict[Callable[..., Any], Callable[..., Tensor]] = {
    F.linear: _linear,
    F.layer_norm: _layer_norm,
    F.embedding: _embedding,
}
