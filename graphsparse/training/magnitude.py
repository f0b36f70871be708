"""Selection by magnitude: the step that every weight-sparsity method shares."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from torch import Tensor

from graphsparse.backend import native, requested_threads
from graphsparse.training import device_projection
from graphsparse.training.device_projection import Pending, is_gpu_pool
from graphsparse.training.scopes import Override, Scope, num_removed
from graphsparse.training.weights import Weight, kernel_view, refuse, words


def project(
    weights: list[Weight],
    scope: Scope,
    keep: float,
    *,
    num_weights: int | None = None,
    masks: Mapping[str, Tensor] | None = None,
) -> dict[str, int]:
    """Project checked weights; return what each non-empty one keeps.

    ``masks`` (bool, shaped as the weights) receive true for every kept entry.
    """
    made = project_later(weights, scope, keep, num_weights=num_weights, masks=masks)
    return made if isinstance(made, dict) else made.result()


def project_later(
    weights: list[Weight],
    scope: Scope,
    keep: float,
    *,
    num_weights: int | None = None,
    masks: Mapping[str, Tensor] | None = None,
) -> dict[str, int] | Pending:
    """Project as :func:`project` does; on a GPU the counts may follow later."""
    weights = [weight for weight in weights if weight.size]
    masks = masks or {}
    # All or nothing: a scope that works tensor by tensor looks at all of them first.
    shared = scope.kind == "global"
    pool = [w for w in weights if shared and w.name not in scope.overrides]
    alone = [w for w in weights if not shared or w.name in scope.overrides]
    check_finite(alone)
    kept: dict[str, int] = {}
    if pool:
        total = sum(weight.size for weight in pool)
        budget = total - num_removed(keep, total) if num_weights is None else num_weights
        if is_gpu_pool(pool) and not (alone or scope.min_keep_per_layer):
            return device_projection.queue(pool, budget, masks)
        kept = _project_pool(pool, budget, scope.min_keep_per_layer, masks)
    for weight in alone:
        own = scope.overrides.get(weight.name, keep)
        kept[weight.name] = _project_alone(weight, scope, own, masks.get(weight.name))
    return kept


def check_finite(weights: list[Weight]) -> None:
    """Raise ValueError if a weight is NaN or infinite."""
    if is_gpu_pool(weights):
        piece, at = device_projection.first_not_finite(weights)
        if piece >= 0:
            refuse(weights[piece], at)
        return
    for weight in weights:
        dense = weight.tensor.detach().contiguous()
        _, at = native.not_finite([words(dense)], weight.format.infinity, requested_threads())
        if at >= 0:
            refuse(weight, at)


def _project_pool(
    pool: list[Weight], budget: int, floor: int, masks: Mapping[str, Tensor]
) -> dict[str, int]:
    """Keep the ``budget`` largest of all, but at least ``floor`` of each tensor."""
    least = [min(floor, weight.size) for weight in pool]
    if sum(least) > budget:
        raise ValueError(
            f"min_keep_per_layer={floor} needs {sum(least)} weights, but keep leaves {budget}"
        )
    # Tensors that fall below their floor get exactly the floor; the others share the rest, which
    # can push further ones below.
    fixed: set[int] = set()
    while floor:
        rest = [i for i in range(len(pool)) if i not in fixed]
        share = budget - sum(least[i] for i in fixed)
        counts = _keep_largest([pool[i] for i in rest], share, {}, dry=True)
        short = [i for i, count in zip(rest, counts, strict=True) if count < least[i]]
        if not short:
            break
        fixed.update(short)
    groups = [[i] for i in sorted(fixed)]
    groups.append([i for i in range(len(pool)) if i not in fixed])
    kept: dict[str, int] = {}
    for group in filter(None, groups):
        share = least[group[0]] if group[0] in fixed else budget - sum(least[i] for i in fixed)
        members = [pool[i] for i in group]
        counts = _keep_largest(members, share, masks, dry=False)
        kept.update(zip((w.name for w in members), counts, strict=True))
    return kept


def _keep_largest(
    weights: list[Weight], budget: int, masks: Mapping[str, Tensor], *, dry: bool
) -> list[int]:
    if is_gpu_pool(weights):
        return list(device_projection.queue(weights, budget, masks, dry=dry).result().values())
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(kernel_view(w, masks.get(w.name))) for w in weights]
        piece, at, kept = native.keep_largest(
            [view for view, _ in opened],
            budget,
            weights[0].format.infinity,
            [mask for _, found in opened for mask in found],
            dry,
            requested_threads(),
        )
        if piece >= 0:
            refuse(weights[piece], at)
    return list(kept)


def _project_alone(weight: Weight, scope: Scope, keep: Override, mask: Tensor | None) -> int:
    """Project one tensor whose weights compete among themselves; all are finite."""
    threads = requested_threads()
    if scope.kind in ("global", "layer"):
        budget = weight.size - num_removed(float(keep), weight.size)  # type: ignore[arg-type]
        masks = {} if mask is None else {weight.name: mask}
        return _keep_largest([weight], budget, masks, dry=False)[0]
    rows, cols = weight.tensor.shape
    if scope.kind == "block":
        return _project_blocks(weight, scope, float(keep), mask)  # type: ignore[arg-type]
    if weight.input_axis == 0:
        rows, cols = cols, rows
    group, count = cols, 0
    if scope.kind == "row":
        count = cols - num_removed(float(keep), cols)  # type: ignore[arg-type]
    elif isinstance(keep, tuple | list):
        count, group = keep
    elif weight.name not in scope.overrides:
        assert scope.nm is not None
        count, group = scope.nm
    else:
        count = cols  # the override 1.0: leave it as it is
    if is_gpu_pool([weight]):
        device_projection.keep_in_groups(weight, mask, group, count)
        return int(rows) * (cols // group * count + min(count, cols % group))
    with kernel_view(weight, mask, rows_are_outputs=True) as (view, marks):
        native.keep_in_groups(view, cols, group, count, marks, threads)
    return int(rows) * (cols // group * count + min(count, cols % group))


def _project_blocks(weight: Weight, scope: Scope, keep: float, mask: Tensor | None) -> int:
    assert scope.block is not None
    (rows, cols), (down, across) = weight.tensor.shape, scope.block
    blocks = -(-rows // down) * -(-cols // across)
    budget = blocks - num_removed(keep, blocks)
    if is_gpu_pool([weight]):
        return device_projection.keep_blocks(weight, mask, scope.block, budget)
    with kernel_view(weight, mask) as (view, marks):
        kept: int = native.keep_blocks(
            view,
            cols,
            down,
            across,
            budget,
            weight.format.mantissa,
            marks,
            requested_threads(),
        )
    return kept
