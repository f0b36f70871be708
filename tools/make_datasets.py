"""Make the bundled data sets of ``datasets/``: ``python tools/make_datasets.py [FOLDER]``.

Writes ``arrays.npz`` and ``meta.json`` of each; the cards are written by hand.  The same arrays
come out on every machine with the same SciPy and scikit-learn; the bytes of the archives depend
on zlib.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from graphsparse import Graph
from graphsparse.datasets import splits, synthetic
from graphsparse.rng import DATASETS, uniform

Array = np.ndarray[Any, np.dtype[Any]]
Made = tuple[dict[str, Any], dict[str, Array]]
SEED = 20_261_124


def structure(graph: Graph) -> dict[str, Array]:
    """Return the arrays of a graph."""
    return {"indptr": graph.indptr.astype(np.int32), "indices": graph.indices}


def masks(chosen: tuple[splits.Split, ...], num_items: int) -> dict[str, Array]:
    """Return the masks of splits, one column each."""
    return {
        f"{part}_mask": np.stack([split.mask(part, num_items) for split in chosen], axis=1)
        for part in splits.PARTS
    }


def graph_facts(graph: Graph) -> dict[str, Any]:
    """Return what ``meta.json`` says of a graph."""
    return {
        "content": "graph",
        "directed": graph.directed,
        "num_nodes": graph.num_nodes,
        "num_edges": graph.num_edges,
    }


def digits() -> Made:
    """The 10-nearest-neighbour digraph of scikit-learn's digits."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x = images.astype(np.int64)  # grey levels 0 .. 16: squared distances are exact integers
    squares = (x * x).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * (x @ x.T)
    np.fill_diagonal(distances, np.iinfo(np.int64).max)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :10]  # ties: the lower number
    tails = np.repeat(np.arange(len(x)), 10)
    graph = Graph.from_edges((tails, nearest.ravel()), num_nodes=len(x), directed=True)
    chosen = splits.per_class(labels, num_train=20, num_val=500)
    arrays = {"x": images.astype(np.uint8), "y": labels.astype(np.int64)}
    facts = {"title": "Handwritten digits, 10 nearest neighbours", "num_features": 64}
    facts |= {"task": "node classification", "metric": "accuracy", "num_classes": 10}
    facts |= {
        "licence": "CC BY 4.0 (UCI), distributed with scikit-learn (BSD-3)",
        "source": "E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998",
    }
    return facts | graph_facts(graph), structure(graph) | arrays | masks(chosen, len(x))


def delaunay() -> Made:
    """A Delaunay mesh."""
    graph, points = synthetic.delaunay_mesh(2048, seed=SEED)
    facts = {"title": "Delaunay mesh of 2,048 uniform points", "task": "sparsification"}
    facts |= {"metric": None, "num_classes": None} | own()
    return facts | graph_facts(graph), structure(graph) | {"pos": points}


def planted_partition() -> Made:
    """Blocks with weak features."""
    graph, blocks = synthetic.planted_partition(1000, 5, mean_degree=12.0, homophily=0.7, seed=SEED)
    words = uniform(SEED, np.arange(5 * 32, dtype=np.uint64), 2**31 + 2, DATASETS).reshape(5, 32)
    rate = np.where(words < 0.25, 0.35, 0.15)[blocks]
    coins = uniform(SEED, np.arange(1000 * 32, dtype=np.uint64), 2**31 + 3, DATASETS)
    x = (coins.reshape(1000, 32) < rate).astype(np.uint8)
    chosen = splits.per_class(blocks, num_train=20, num_val=200)
    facts = {"title": "Planted partition with five blocks", "task": "node classification"}
    facts |= {"metric": "accuracy", "num_classes": 5, "num_features": 32} | own()
    arrays = structure(graph) | {"x": x, "y": blocks} | masks(chosen, 1000)
    return facts | graph_facts(graph), arrays


def stream() -> Made:
    """Local insertions and deletions on the mesh."""
    graph, _ = synthetic.delaunay_mesh(2048, seed=SEED)
    updates = synthetic.local_stream(graph, 500, 20, num_batches=10, num_hops=10, seed=SEED)
    facts = {"title": "Edge stream on the Delaunay mesh", "task": "edge stream"}
    facts |= {"metric": None, "num_classes": None, "base": "delaunay", "num_updates": 520} | own()
    return facts | graph_facts(graph), updates


def hypergraph() -> Made:
    """Papers with author positions."""
    graph, labels = synthetic.coauthorship(600, 900, seed=SEED)
    chosen = splits.by_fraction(900, seeds=[0])
    facts = {"title": "Papers with author positions", "content": "hypergraph"}
    facts |= {"task": "edge-dependent node classification", "metric": "f1", "num_classes": 3}
    facts |= {"num_nodes": graph.num_nodes, "num_hyperedges": graph.num_hyperedges} | own()
    facts["num_incidences"] = graph.num_incidences
    arrays = {"nodes": graph.nodes.astype(np.int32), "hyperedges": graph.hyperedges}
    arrays["hyperedges"] = arrays["hyperedges"].astype(np.int32)
    return facts, arrays | {"y": labels.astype(np.int8)} | masks(chosen, 900)


def own() -> dict[str, Any]:
    """Return the origin of what this script makes from nothing."""
    return {"licence": "MIT, as the package", "source": f"tools/make_datasets.py, seed {SEED}"}


MAKERS = {f.__name__: f for f in (delaunay, digits, hypergraph, planted_partition, stream)}


def write_npz(path: Path, arrays: dict[str, Array]) -> None:
    """Write a compressed archive without time stamps."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for key, array in arrays.items():
            entry = zipfile.ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)


def main(folder: Path) -> None:
    """Write every set under ``folder``."""
    for name, make in MAKERS.items():
        facts, arrays = make()
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        write_npz(target / "arrays.npz", arrays)
        stored = (target / "arrays.npz").read_bytes()
        files = {"arrays.npz": {"bytes": len(stored), "sha256": hashlib.sha256(stored).hexdigest()}}
        shapes = {key: [str(array.dtype), *array.shape] for key, array in arrays.items()}
        meta = {"name": name, **facts, "arrays": shapes, "files": files}
        (target / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {len(stored)} bytes")


if __name__ == "__main__":
    default = Path(__file__).resolve().parents[1] / "datasets"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
