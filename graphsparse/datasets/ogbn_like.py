"""A synthetic node classification set of any size, in memory or as a folder that ogb reads."""

from __future__ import annotations

import dataclasses
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from graphsparse.checks import check_count, check_seed
from graphsparse.datasets.block_model import BlockModel
from graphsparse.rng import DATASETS, uniform

Array = np.ndarray[Any, np.dtype[Any]]
NAME = "synthetic-ogbn-like"
META = "meta_dict.json"
_ROWS = 1 << 16  # rows of features that are made together
_YEARS = (2001, 2020)
_YEAR_STEP, _CLASS_STEP = 2**31, 2**31 + 1


@dataclasses.dataclass(frozen=True, eq=False)
class OgbnLike:
    """A synthetic graph with features, labels, years and a split by year.

    Attributes
    ----------
    edge_index : array of int64, shape (2, arcs)
        Of a directed set one arc per pair, from the later node to the earlier one; else both.
    x : array of float32, shape (n, features)
        ``signal`` times the unit vector of the class, plus standard normal noise.
    y : array of int64, shape (n,)
        Class of each node: its block.
    year : array of int64, shape (n,)
        2001 to 2020, more of them late.
    split : dict of str to array of int64
        ``train`` until the last year of training, ``valid`` the year after, ``test`` the rest.
    num_classes : int
        Number of classes.
    directed : bool
        Whether the arcs have a direction.
    """

    edge_index: Array
    x: Array
    y: Array
    year: Array
    split: dict[str, Array]
    num_classes: int
    directed: bool


def ogbn_like(
    num_nodes: int,
    num_edges: int,
    num_features: int,
    num_classes: int,
    *,
    homophily: float = 0.65,
    exponent: float = 2.5,
    signal: float = 2.0,
    directed: bool = True,
    train_until: int = 2017,
    seed: int = 0,
) -> OgbnLike:
    """Return a synthetic set of the size of an ogbn set: a degree-corrected block model.

    Parameters
    ----------
    num_nodes, num_edges, num_features, num_classes : int
        Sizes; ``num_edges`` counts distinct pairs without loops.
    homophily : float
        Share of the pairs inside classes, met exactly.
    exponent : float
        Of the degree distribution, above 2.
    signal : float
        Length of a class's mean feature vector; the noise has variance 1 in every column.
    directed : bool
        One arc per pair, later nodes point to earlier ones (as citations do); or both arcs.
    train_until : int
        Last year of training, 2001 to 2018: of ``y`` years ``(y / 20)^4`` of the nodes, so 2017
        gives 52 % and 2011 gives 9 %.
    seed : int
        Same seed, same set.

    Returns
    -------
    OgbnLike

    Notes
    -----
    O(m log m + n * features) time.  For 61.9 million pairs, 2.4 million nodes and 100 features
    see ``benchmarks/results/ogb_scale.json``.

    References
    ----------
    B. Karrer, M. Newman, Stochastic blockmodels and community structure in networks, Physical
    Review E 83, 2011, arXiv:1008.3926.

    Examples
    --------
    >>> made = ogbn_like(100, 300, 8, 4, seed=5)
    >>> made.edge_index.shape, made.x.shape
    ((2, 300), (100, 8))
    """
    check_count("num_features", num_features, low=1)
    last = check_count("train_until", train_until, low=_YEARS[0], high=_YEARS[1] - 2)
    model = BlockModel(num_nodes, num_classes, exponent, check_seed(seed))
    year = _years(num_nodes, seed)
    u, v = model.edges(num_edges, homophily)
    if directed:
        earlier = year[u] < year[v]  # of the same year: the smaller id points to the larger
        edge_index = np.stack((np.where(earlier, v, u), np.where(earlier, u, v)))
    else:
        edge_index = np.stack((np.concatenate((u, v)), np.concatenate((v, u))))
    del u, v
    split = {
        "train": np.flatnonzero(year <= last),
        "valid": np.flatnonzero(year == last + 1),
        "test": np.flatnonzero(year > last + 1),
    }
    x = _features(model.blocks, num_features, num_classes, float(signal), seed)
    return OgbnLike(edge_index, x, model.blocks, year, split, num_classes, directed)


def write_ogbn(made: OgbnLike, folder: str | Path) -> Path:
    """Write a synthetic set as a folder that ogb's own loader reads; return the folder.

    Parameters
    ----------
    made : OgbnLike
        What to write.
    folder : str or Path
        Gets a sub-folder ``synthetic_ogbn_like``: then ``load_dataset("synthetic-ogbn-like",
        root=folder)`` finds it.  With ogb alone:
        ``PygNodePropPredDataset(name, meta_dict=json.load(...))`` with ``meta_dict.json`` and
        its ``dir_path`` set to the sub-folder.
    """
    target = Path(folder) / NAME.replace("-", "_")
    if target.exists():
        raise FileExistsError(f"folder must not hold {target.name} yet, got {target}")
    for part in ("raw", "split/time"):
        (target / part).mkdir(parents=True)
    np.savez(
        target / "raw" / "data.npz",
        edge_index=made.edge_index,
        num_nodes_list=np.array([len(made.y)]),
        num_edges_list=np.array([made.edge_index.shape[1]]),
        node_feat=made.x,
        node_year=made.year[:, None],
    )
    np.savez(target / "raw" / "node-label.npz", node_label=made.y[:, None])
    for part, ids in made.split.items():
        with gzip.open(target / "split" / "time" / f"{part}.csv.gz", "wt", compresslevel=1) as out:
            out.write("".join(f"{node}\n" for node in ids.tolist()))
    (target / META).write_text(json.dumps(_meta(made), indent=1) + "\n", encoding="utf-8")
    (target / "RELEASE_v1.txt").write_text(
        "Synthetic: a degree-corrected block model made by graphsparse.  Not data of the Open "
        "Graph Benchmark, only its folder layout.\n"
    )
    return target


def read_meta(folder: Path) -> dict[str, str] | None:
    """Return the ``meta_dict`` of a synthetic folder, with its own place, or None."""
    path = folder / META
    if not path.is_file():
        return None
    meta: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return {**meta, "dir_path": str(folder)}


def _meta(made: OgbnLike) -> dict[str, str]:
    return {
        "name": NAME,
        "num tasks": "1",
        "num classes": str(made.num_classes),
        "eval metric": "acc",
        "task type": "multiclass classification",
        "download_name": NAME.replace("-", "_"),
        "version": "1",
        "url": "none: synthetic",
        "add_inverse_edge": "False",
        "has_node_attr": "True",
        "has_edge_attr": "False",
        "split": "time",
        "additional node files": "node_year",
        "additional edge files": "None",
        "is hetero": "False",
        "binary": "True",
        "directed": str(made.directed),
    }


def _years(num_nodes: int, seed: int) -> Array:
    x = uniform(seed, np.arange(num_nodes, dtype=np.uint64), _YEAR_STEP, DATASETS)
    first, last = _YEARS
    span = last - first + 1
    years: Array = first + np.minimum((np.sqrt(np.sqrt(x)) * span).astype(np.int64), span - 1)
    return years


def _features(classes: Array, width: int, k: int, signal: float, seed: int) -> Array:
    """Standard normal rows round a random point of the sphere per class, a block at a time."""
    means = np.random.Generator(np.random.Philox(key=[seed, _CLASS_STEP])).standard_normal(
        (k, width), dtype=np.float32
    )
    means *= np.float32(signal) / np.linalg.norm(means, axis=1, keepdims=True)
    x = np.empty((len(classes), width), np.float32)
    for at, start in enumerate(range(0, len(classes), _ROWS)):
        block = x[start : start + _ROWS]
        noise = np.random.Generator(np.random.Philox(key=[seed, _CLASS_STEP + 1 + at]))
        noise.standard_normal(out=block, dtype=np.float32)
        block += means[classes[start : start + _ROWS]]
    return x
