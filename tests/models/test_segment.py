"""Native group reductions against their torch twins and against loops, with gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import graphsparse
from graphsparse.models import segment, segment_torch
from graphsparse.operators.groups import Groups

HEADS = 2


def draw_groups(rng: np.random.Generator) -> Groups:
    count, n = int(rng.integers(1, 8)), int(rng.integers(0, 30))
    return Groups.from_ids(rng.integers(0, count, n), count)


def tensors(generator, *shapes, dtype=torch.float64):
    return [
        torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes
    ]


def cases(groups: Groups, generator: torch.Generator, dim: int, points: int):
    """Yield (native, twin, inputs) of every operation."""
    n, g = groups.num_rows, groups.num_groups
    make = lambda *shapes: tensors(generator, *shapes)  # noqa: E731
    yield (
        lambda x: segment.segment_mean(x, groups),
        lambda x: segment_torch.mean(x, groups),
        make((n, dim)),
    )
    yield (
        lambda x: segment.segment_max(x, groups),
        lambda x: segment_torch.largest(x, groups),
        make((n, dim)),
    )
    yield (
        lambda *a: segment.segment_update(*a, groups),
        lambda *a: segment_torch.update(*a, groups),
        make((n, 2 * dim), (dim, dim), (dim,)),
    )
    yield (
        lambda *a: segment.softmax_pool(*a, groups, HEADS),
        lambda *a: segment_torch.softmax_pool(*a, groups, HEADS),
        make((n, points * HEADS), (n, dim)),
    )
    yield (
        lambda *a: segment.group_read(*a, groups, HEADS, 0.3),
        lambda *a: segment_torch.group_read(*a, groups, HEADS, 0.3),
        make((n, dim), (g * points, dim), (g * points, dim)),
    )


def test_native_equals_twin_with_gradients_on_random_groups():
    rng = np.random.default_rng(2601)
    generator = torch.Generator().manual_seed(77)
    for _ in range(200):
        groups = draw_groups(rng)
        dim, points = HEADS * int(rng.integers(1, 12)), int(rng.integers(1, 5))
        for native, twin, inputs in cases(groups, generator, dim, points):
            got, want = native(*inputs), twin(*inputs)
            torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
            weight = torch.randn(got.shape, generator=generator, dtype=torch.float64)
            got_grads = torch.autograd.grad((got * weight).sum(), inputs)
            want_grads = torch.autograd.grad((want * weight).sum(), inputs)
            for a, b in zip(got_grads, want_grads, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


def test_gradcheck():
    groups = Groups.from_ids(np.array([2, 0, 2, 2, 0]), 4)
    for native, twin, inputs in cases(groups, torch.Generator().manual_seed(3), 4, 3):
        assert torch.autograd.gradcheck(native, inputs)
        assert torch.autograd.gradcheck(twin, inputs)


def test_mean_and_max_are_what_a_loop_finds():
    rng = np.random.default_rng(83)
    for _ in range(50):
        groups = draw_groups(rng)
        x = rng.standard_normal((groups.num_rows, 5))
        mean = segment.segment_mean(torch.from_numpy(x), groups).numpy()
        top = segment.segment_max(torch.from_numpy(x), groups).numpy()
        for g in range(groups.num_groups):
            rows = x[groups.ids == g]
            want = (rows.mean(0), rows.max(0)) if len(rows) else (np.zeros(5), np.zeros(5))
            np.testing.assert_allclose(mean[g], want[0], atol=1e-14)
            assert np.array_equal(top[g], want[1])


def test_strided_rows_are_read_in_place():
    groups = Groups.from_ids(np.array([0, 1, 0]), 2)
    wide = torch.arange(24.0).view(3, 8)
    part = wide[:, 2:5]
    assert torch.equal(
        segment.segment_mean(part, groups), segment.segment_mean(part.clone(), groups)
    )
    turned = torch.arange(6.0).view(2, 3).t()
    assert segment.segment_mean(turned, groups).tolist() == [[1.0, 4.0], [1.0, 4.0]]


def test_any_number_of_threads_gives_the_same_bits():
    rng = np.random.default_rng(11)
    groups = Groups.from_ids(rng.integers(0, 700, 5000), 701)
    generator = torch.Generator().manual_seed(4)
    logits, values, grad = (torch.randn(5000, width, generator=generator) for width in (16, 64, 64))
    outcomes = []
    for threads in (1, 2, 3):
        graphsparse.set_num_threads(threads)
        a, b = logits.clone().requires_grad_(), values.clone().requires_grad_()
        pooled = segment.softmax_pool(a, b, groups, 4)
        out = segment.group_read(values, pooled, pooled, groups, 4, 0.1)
        outcomes.append((pooled, out, *torch.autograd.grad((out * grad).sum(), (a, b))))
    graphsparse.set_num_threads(0)
    for other in outcomes[1:]:
        assert all(torch.equal(x, y) for x, y in zip(outcomes[0], other, strict=True))


def test_pairs_are_all_pairs_of_a_group():
    rng = np.random.default_rng(19)
    for _ in range(50):
        groups = draw_groups(rng)
        left, right = groups.pairs()
        want = {
            (i, j)
            for i in range(groups.num_rows)
            for j in range(groups.num_rows)
            if groups.ids[i] == groups.ids[j]
        }
        assert set(zip(left.tolist(), right.tolist(), strict=True)) == want
        assert len(left) == groups.num_pairs == len(want)


def test_wrong_shapes_are_refused():
    groups = Groups.from_ids(np.array([0, 1]), 2)
    with pytest.raises(ValueError, match=r"x must have shape \(2, dim\), got \(3, 4\)"):
        segment.segment_mean(torch.zeros(3, 4), groups)
    with pytest.raises(ValueError, match=r"q must have shape \(2, dim\), got \(2,\)"):
        segment.group_read(torch.zeros(2), torch.zeros(2, 1), torch.zeros(2, 1), groups, 1, 1.0)
