"""Projection of weights onto the l0 ball: keep the largest magnitudes, set the others to +0."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from graphsparse.checks import check_count
from graphsparse.training.magnitude import project
from graphsparse.training.scopes import Override, Pair, Scope, final_keep
from graphsparse.training.weights import Tensors, collect


def project_l0(
    tensors: Tensors,
    keep: float | None = None,
    *,
    num_weights: int | None = None,
    scope: str = "global",
    nm: Pair | None = None,
    block: Pair | None = None,
    min_keep_per_layer: int = 0,
    overrides: Mapping[str, Override] | None = None,
    include: str | None = None,
    input_axis: int | None = None,
) -> dict[str, int]:
    """Set all but the largest weights to +0, in place, and return how many each tensor keeps.

    Exactly ``h = ceil((1 - keep) * W - 1e-6)`` of ``W`` weights are removed: the smallest
    magnitudes; of equal ones the higher flat index.  Kept weights are unchanged to the bit.
    ``project_l0_`` is the same function.

    Parameters
    ----------
    tensors : Module, Tensor, mapping of names, or iterable of tensors or (name, tensor) pairs
        Dense, on the CPU, of one floating-point type.  Flat indices follow this order, each
        tensor row by row.  Tied parameters count once, frozen ones not at all.
    keep : float, optional
        Fraction kept, in (0, 1].  Scope ``"nm"`` takes none.
    num_weights : int, optional
        Instead of ``keep`` in scope ``"global"``: weights kept.
    scope : {"global", "layer", "row", "nm", "block"}
        What competes: all weights; those of a tensor; those of an output neuron (``h`` per row);
        ``m`` neighbours along the inputs; blocks of a matrix, by l2 norm (``h`` counts blocks of
        each matrix, those cut off at its edge included).
    nm : (int, int), optional
        Keep ``n`` of each ``m``; a short last group of length L keeps ``min(n, L)``.
    block : (int, int), optional
        Rows and columns of a block, as the matrix is stored.
    min_keep_per_layer : int
        In scope ``"global"``: weights that each tensor keeps whatever the others hold; the total
        stays exact.
    overrides : mapping of name to float, optional
        ``keep`` of single tensors, which then compete among themselves only; 1.0 leaves one as it
        is.  In scope ``"nm"``: another ``(n, m)``.
    include : {"matrices", "all"}, optional
        Which tensors count; left out, a module gives its matrices (no biases, norms or attention
        vectors), and tensors named one by one are all taken.
    input_axis : {0, 1}, optional
        Axis of the inputs in a matrix, for scopes ``"row"`` and ``"nm"``; left out, what the
        module says, else 1 as in ``torch.nn.Linear``.

    Returns
    -------
    dict of str to int
        Weights that each tensor keeps (some of them may be 0 themselves).

    Raises
    ------
    ValueError
        If a weight is NaN or infinite (the message names the tensor), nothing is left to
        project, or arguments disagree.  No tensor is changed then.
    TypeError
        If a tensor is no supported floating-point type.
    BackendError
        If a tensor is neither on the CPU nor on a GPU that CuPy can use, or the tensors lie on
        several devices.

    Warns
    -----
    UserWarning
        If a tensor is left without any weight.

    Notes
    -----
    O(W) time, no sort: a sample brackets the cut, one pass counts and copies what lies inside, one
    pass zeroes.  About 4 % of W in scratch memory.  Any number of threads gives the same result.

    References
    ----------
    H. Seo, J. Yun, E. Yang, TEDDY, ICLR 2024, arXiv:2402.01261 (its l0-ball projection).

    Examples
    --------
    >>> import torch
    >>> theta = torch.tensor([0.5, -0.5, 0.25, 0.0, -0.0, 0.75, -0.25, 0.5])
    >>> project_l0(theta, keep=0.5)
    {'0': 4}
    >>> theta
    tensor([ 0.5000, -0.5000,  0.0000,  0.0000,  0.0000,  0.7500,  0.0000,  0.5000])
    """
    rule = Scope(scope, nm, block, min_keep_per_layer, dict(overrides or {}))
    weights = collect(tensors, include=include, input_axis=input_axis)
    rule.check_weights(weights)
    if num_weights is not None:
        if keep is not None or scope != "global" or rule.overrides:
            raise ValueError(
                f"num_weights stands alone in scope='global', got {keep=}, {scope=}, {overrides=}"
            )
        check_count("num_weights", num_weights, high=sum(w.size for w in weights))
        share = 1.0
    else:
        share = final_keep(keep, rule)
    kept = project(weights, rule, share, num_weights=num_weights)
    if num_weights != 0:
        warn_emptied([name for name, count in kept.items() if count == 0])
    return {weight.name: kept.get(weight.name, 0) for weight in weights}


project_l0_ = project_l0


def warn_emptied(names: list[str]) -> None:
    """Warn of tensors that were left without any weight."""
    if names:
        warnings.warn(
            f"the projection leaves no weight in {', '.join(names)}: "
            "min_keep_per_layer or overrides prevents it",
            UserWarning,
            stacklevel=3,
        )
