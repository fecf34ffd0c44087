"""Samplers and official draws: stratified, repeatable, and those behind the published numbers."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from molmeta.assays.episodes import (
    MIN_QUERY,
    EpisodeBatch,
    EpisodeSampler,
    gather_episodes,
    official_draw,
    random_split,
)
from molmeta.assays.store import AssayStore
from molmeta.assays.task import Task
from molmeta.errors import ConfigError


def task_of(labels: list[int], name: str = "T", start: int = 0) -> Task:
    n = len(labels)
    return Task(
        assay_id=name,
        molecules=torch.arange(start, start + n),
        labels=torch.tensor(labels, dtype=torch.float32),
        log_values=torch.full((n,), torch.nan),
        relations=torch.zeros(n, dtype=torch.int8),
    )


def same(left: EpisodeBatch, right: EpisodeBatch) -> bool:
    return (
        left.assay_ids == right.assay_ids
        and torch.equal(left.molecules.keys, right.molecules.keys)
        and torch.equal(left.labels, right.labels)
        and all(map(torch.equal, left.support, right.support))
        and all(map(torch.equal, left.query, right.query))
    )


def sampler(store: AssayStore, **settings: object) -> EpisodeSampler:
    return EpisodeSampler(store, **{"support_sizes": (8, 16), "query_size": 20, **settings})


def test_episodes_hold_the_drawn_molecules_and_labels(store):
    first, second = store.tasks[:2]
    draws = [
        (first, torch.tensor([3, 1]), torch.tensor([0, 7, 5])),
        (second, torch.tensor([2]), torch.tensor([4, 0])),
    ]
    episodes = gather_episodes(store, draws)
    assert len(episodes) == 2
    assert [rows.tolist() for rows in episodes.support] == [[0, 1], [5]]
    assert [rows.tolist() for rows in episodes.query] == [[2, 3, 4], [6, 7]]
    for episode, (task, support, query) in zip(episodes, draws, strict=True):
        assert episode.assay_id == task.assay_id
        for part, rows in ((episode.support, support), (episode.query, query)):
            assert torch.equal(part.labels, task.labels[rows])
            assert torch.equal(part.molecules.keys, store.molecules.keys[task.molecules[rows]])


def test_the_same_seed_and_step_give_the_same_episodes_whatever_came_before(store):
    one, other = sampler(store, seed=4), sampler(store, seed=4)
    for step in range(3):
        one.draw(step, 4)
    assert same(one.draw(7, 4), other.draw(7, 4))
    assert not same(one.draw(7, 4), one.draw(8, 4))
    assert not same(one.draw(7, 4), sampler(store, seed=5).draw(7, 4))


def test_sampling_does_not_touch_the_global_generators(store):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    sampler(store).draw(0, 4)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_processes_that_divide_a_step_gather_its_episodes_between_them(store):
    whole = list(sampler(store).draw(2, 5))
    parts = [list(sampler(store).draw(2, 5, part, 2)) for part in (0, 1)]
    interleaved = [parts[i % 2][i // 2] for i in range(5)]
    for expected, found in zip(whole, interleaved, strict=True):
        assert expected.assay_id == found.assay_id
        assert torch.equal(expected.support.molecules.keys, found.support.molecules.keys)
        assert torch.equal(expected.query.molecules.keys, found.query.molecules.keys)


def test_supports_take_all_the_given_sizes_and_no_other(store):
    episodes = sampler(store, support_sizes=(8, 12, 20)).draw(0, 60)
    assert {len(rows) for rows in episodes.support} == {8, 12, 20}
    assert {len(rows) for rows in episodes.query} == {20}


@given(
    actives=st.integers(2, 40),
    inactives=st.integers(2, 40),
    size=st.integers(2, 90),
    seed=st.integers(0, 1000),
)
def test_a_split_keeps_the_ratio_and_both_classes_on_both_sides(actives, inactives, size, seed):
    labels = np.random.default_rng(seed).permutation([1] * actives + [0] * inactives)
    n = len(labels)
    if n < MIN_QUERY + 2:
        return
    task = task_of(labels.tolist())
    support, query = random_split(task, size, n, np.random.default_rng(seed))
    assert len(support) == min(size, n - MIN_QUERY)
    assert sorted([*support.tolist(), *query.tolist()]) == list(range(n))
    for rows in (support, query):
        assert 0 < task.labels[rows].sum() < len(rows)
    # A molecule more or less than the ratio asks for, unless a class would be missing.
    drawn = int(task.labels[support].sum())
    wanted = len(support) * actives / n
    assert abs(drawn - wanted) <= 1 or drawn in (1, len(support) - 1)


def test_a_query_is_no_larger_than_asked_and_keeps_apart_from_the_support(store):
    for episode in sampler(store, query_size=9).draw(0, 30):
        assert len(episode.query) == 9
        keys = set(episode.support.molecules.keys.tolist())
        assert keys.isdisjoint(episode.query.molecules.keys.tolist())


def test_a_small_task_gets_the_largest_support_that_leaves_a_query(batch):
    small = AssayStore((task_of([1, 0] * 6),), batch, {}, "")
    episodes = sampler(small, support_sizes=(64,)).draw(0, 3)
    assert {len(rows) for rows in episodes.support} == {12 - MIN_QUERY}
    assert {len(rows) for rows in episodes.query} == {MIN_QUERY}


def test_tasks_that_cannot_be_split_are_never_drawn(batch):
    tasks = (
        task_of([1] * 20, "all active"),
        task_of([1] + [0] * 20, "one active"),
        task_of([1, 0] * 4, "too small"),
        task_of([1, 0] * 10, "good"),
    )
    episodes = sampler(AssayStore(tasks, batch, {}, "")).draw(0, 40)
    assert set(episodes.assay_ids) == {"good"}
    with pytest.raises(ConfigError, match="two actives, two inactives and at least 10 molecules"):
        sampler(AssayStore(tasks[:3], batch, {}, ""))


def test_tasks_are_drawn_as_often_as_their_weights_say(store):
    weights = torch.tensor([3.0, 1.0, 0.0, 0.0])
    names = sampler(store, task_weights=weights).draw(0, 400).assay_ids
    assert set(names) == {"A", "B"}
    assert 260 < names.count("A") < 340


def test_weights_stay_with_their_tasks_when_some_cannot_be_split(batch):
    tasks = (task_of([1] * 20, "bad"), task_of([1, 0] * 10, "X"), task_of([1, 0] * 10, "Y"))
    store = AssayStore(tasks, batch, {}, "")
    names = sampler(store, task_weights=torch.tensor([5.0, 0.0, 1.0])).draw(0, 20).assay_ids
    assert set(names) == {"Y"}


def test_official_draws_are_the_published_ones(shared_data):
    import pyarrow.parquet as pq

    columns = ["assay_id", "label"]
    table = pq.read_table(shared_data / "fsmol/valid.parquet", columns=columns).to_pandas()
    expected = json.loads((shared_data / "fsmol/official_draws.json").read_text())
    assert len(expected) == 18
    for one in expected:
        labels = table.label[table.assay_id == one["assay_id"]].to_numpy()
        draw = official_draw(torch.tensor(labels).float(), one["support_size"], one["run"])
        assert draw is not None
        support, query = draw
        assert sorted(support.tolist()) == one["support"]
        assert len(query) == one["n_query"]
        assert sorted([*support, *query]) == list(range(one["n"]))


def test_an_official_draw_keeps_the_ratio_and_takes_everything_else_as_query():
    labels = torch.tensor([1.0] * 30 + [0.0] * 70)[torch.randperm(100)]
    draw = official_draw(labels, 20, 3)
    assert draw is not None
    support, query = draw
    assert labels[torch.from_numpy(support)].sum() == 6
    assert sorted([*support, *query]) == list(range(100))


@pytest.mark.parametrize(
    ("labels", "size"),
    [
        ([1, 0] * 8, 16),  # nothing left to ask
        ([1, 0] * 8, 15),  # one left to ask
        ([1, 0] * 8, 32),
        ([1] + [0] * 50, 16),  # the one active cannot be on both sides
        ([1] * 50, 16),
        ([1, 1] + [0] * 98, 4),  # four of a hundred hold no active at this ratio
    ],
)
def test_a_draw_that_cannot_be_made_is_none(labels, size):
    assert official_draw(torch.tensor(labels).float(), size, 0) is None
