"""Every data set by name: what it is for, and where its files are."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Mapping
from pathlib import Path

from graphsparse.datasets import bundled
from graphsparse.datasets.memory import memory_of

NODES = "node classification"
_SIGNED = "https://github.com/SherylHYX/pytorch_geometric_signed_directed/raw/main/datasets"
_HETEROPHILOUS = "https://github.com/yandex-research/heterophilous-graphs/raw/main/data"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A data set that can be loaded.

    Attributes
    ----------
    name : str
        What :func:`~graphsparse.datasets.load_dataset` takes.
    origin : str
        ``"bundled"``, ``"pyg"``, ``"ogb"`` or ``"file"``.
    task, metric : str
        As in :class:`~graphsparse.datasets.Dataset`.
    collection : str
        PyG class, ogb package, or folder that the files may lie in.
    key : str
        Name of the set inside its collection.
    splits : tuple of str
        Families of splits that can be asked for, the default first.
    source, licence : str
        Where it comes from, and its licence as far as known.
    files : mapping
        Of a set of origin ``"file"``: file -> address, None where there is none.
    synthetic : bool
        Made by ``graphsparse datasets make``, in the layout of its origin.
    mapped : bool
        Larger than most memories: features and arcs stay in files that are mapped.
    memory : int or None
        Bytes that loading takes at its peak, by the sizes that its authors publish; None for sets
        below 1 GiB or of unknown size.
    """

    name: str
    origin: str
    task: str = NODES
    metric: str | None = "accuracy"
    collection: str = ""
    key: str = ""
    splits: tuple[str, ...] = ()
    source: str = ""
    licence: str = "none stated"
    files: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    synthetic: bool = False
    mapped: bool = False
    memory: int | None = None


def entry(name: str) -> Entry:
    """Return the entry of a name, which may be written with other capitals, ``-`` or ``_``."""
    known = {_plain(one.name): one for one in entries()}
    if _plain(name) in known:
        return known[_plain(name)]
    near = difflib.get_close_matches(_plain(name), known, n=3)
    hint = f"did you mean {', '.join(known[one].name for one in near)}? " if near else ""
    raise ValueError(f"no data set is called {name!r}; {hint}list_datasets() names all")


def entries() -> list[Entry]:
    """Return all entries: bundled ones first, then by origin and name."""
    found = [_bundled(name) for name in bundled.names()]
    for collection, splits, source, licence, keys in _PYG:
        for name, key, metric in keys:
            found.append(
                Entry(name, "pyg", NODES, metric, collection, key, splits, source, licence)
            )
    for name, folder, task, metric, splits, source, licence, files in _FILES:
        found.append(Entry(name, "file", task, metric, folder, "", splits, source, licence, files))
    for package, task, keys_of in _OGB:
        for name, metric in keys_of.items():
            found.append(
                Entry(
                    name,
                    "ogb",
                    task if metric != "rmse" else "graph regression",
                    metric,
                    package,
                    name,
                    ("official",),
                    "Open Graph Benchmark",
                    "see ogb.stanford.edu",
                    mapped=name in _MAPPED,
                    memory=memory_of(name, mapped=name in _MAPPED),
                )
            )
    return [*found, _SYNTHETIC]


def default_root() -> Path:
    """Return ``$GRAPHSPARSE_DATA``, or ``~/.cache/graphsparse``."""
    given = os.environ.get("GRAPHSPARSE_DATA")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "graphsparse"


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _bundled(name: str) -> Entry:
    meta = bundled.read_meta(name)
    return Entry(
        name,
        "bundled",
        meta["task"],
        meta["metric"],
        splits=("stored",) if "train_mask" in meta["arrays"] else (),
        source=meta["source"],
        licence=meta["licence"],
    )


_SYNTHETIC = Entry(
    "synthetic-ogbn-like",
    "ogb",
    collection="ogb.nodeproppred",
    key="synthetic-ogbn-like",
    splits=("official",),
    source="made by graphsparse datasets make ogbn-like; only the layout is ogb's",
    licence="none needed",
    synthetic=True,
)

# PyG class, split families, source, licence, (name here, name there, metric)
_PYG = [
    (
        "Planetoid",
        ("public", "geom-gcn", "random"),
        "kimiyoung/planetoid; splits graphdml-uiuc-jlu/geom-gcn",
        "MIT (repository); data: LINQS citation sets, research use",
        [(key.lower(), key, "accuracy") for key in ("Cora", "CiteSeer", "PubMed")],
    ),
    (
        "CitationFull",
        ("random",),
        "A. Bojchevski, S. Guennemann, ICLR 2018",
        "MIT",
        [
            ("cora_full", "cora", "accuracy"),
            ("cora_ml", "cora_ml", "accuracy"),
            ("citeseer_full", "citeseer", "accuracy"),
            ("dblp", "dblp", "accuracy"),
            ("pubmed_full", "pubmed", "accuracy"),
        ],
    ),
    (
        "WebKB",
        ("geom-gcn",),
        "graphdml-uiuc-jlu/geom-gcn (CMU WebKB)",
        "none stated",
        [(key, key, "accuracy") for key in ("cornell", "texas", "wisconsin")],
    ),
    (
        "WikipediaNetwork",
        ("geom-gcn",),
        "graphdml-uiuc-jlu/geom-gcn (MUSAE)",
        "GPL-3.0 upstream (unconfirmed)",
        [(key, key, "accuracy") for key in ("chameleon", "squirrel")],
    ),
    (
        "Actor",
        ("geom-gcn",),
        "graphdml-uiuc-jlu/geom-gcn (film)",
        "none stated",
        [("actor", "", "accuracy")],
    ),
    (
        "HeterophilousGraphDataset",
        ("stored",),
        "yandex-research/heterophilous-graphs",
        "MIT",
        [
            ("roman_empire", "roman_empire", "accuracy"),
            ("amazon_ratings", "amazon_ratings", "accuracy"),
            ("minesweeper", "minesweeper", "roc_auc"),
            ("tolokers", "tolokers", "roc_auc"),
            ("questions", "questions", "roc_auc"),
        ],
    ),
    (
        "Airports",
        ("random",),
        "leoribeiro/struc2vec",
        "MIT",
        [(f"{key}_airports", key, "accuracy") for key in ("brazil", "europe", "usa")],
    ),
]

# Plain files: name, folder they may lie in, task, metric, splits, source, licence, file -> address.
_Files = tuple[str, str, str, str, tuple[str, ...], str, str, Mapping[str, str | None]]
_SIGNED_NAME = "SherylHYX/pytorch_geometric_signed_directed"
_FILES: list[_Files] = [
    (
        "citeseer_directed",
        "directed/citeseer/raw",
        NODES,
        "accuracy",
        ("random",),
        _SIGNED_NAME,
        "MIT",
        {"citeseer.npz": f"{_SIGNED}/citeseer.npz"},
    ),
    (
        "telegram",
        "directed/telegram/raw",
        NODES,
        "accuracy",
        ("random",),
        _SIGNED_NAME,
        "MIT",
        {key: f"{_SIGNED}/telegram/{key}" for key in ("telegram_adj.npz", "telegram_labels.npy")},
    ),
    (
        "blogcatalog",
        "embedding",
        "multi-label node classification",
        "f1",
        (),
        "the BlogCatalog network, .mat as the DeepWalk authors gave it",
        "none stated",
        {"blogcatalog.mat": None},
    ),
]
for _name in ("chameleon", "squirrel"):
    for _kind in ("filtered", "filtered_directed"):
        _file = f"{_name}_{_kind}"
        _urls = {f"{_file}.npz": f"{_HETEROPHILOUS}/{_file}.npz"}
        _author = "yandex-research/heterophilous-graphs"
        _FILES.append((_file, "directed", NODES, "accuracy", ("stored",), _author, "MIT", _urls))

_MAPPED = ("ogbn-papers100M",)
_OGB: list[tuple[str, str, dict[str, str]]] = [
    (
        "ogb.nodeproppred",
        NODES,
        {
            "ogbn-arxiv": "accuracy",
            "ogbn-mag": "accuracy",
            "ogbn-papers100M": "accuracy",
            "ogbn-products": "accuracy",
            "ogbn-proteins": "roc_auc",
        },
    ),
    (
        "ogb.linkproppred",
        "link prediction",
        {
            "ogbl-biokg": "mrr",
            "ogbl-citation2": "mrr",
            "ogbl-collab": "hits@50",
            "ogbl-ddi": "hits@20",
            "ogbl-ppa": "hits@100",
            "ogbl-vessel": "roc_auc",
            "ogbl-wikikg2": "mrr",
        },
    ),
    (
        "ogb.graphproppred",
        "graph classification",
        {
            "ogbg-code2": "f1",
            "ogbg-molbace": "roc_auc",
            "ogbg-molbbbp": "roc_auc",
            "ogbg-molchembl": "roc_auc",
            "ogbg-molclintox": "roc_auc",
            "ogbg-molesol": "rmse",
            "ogbg-molfreesolv": "rmse",
            "ogbg-molhiv": "roc_auc",
            "ogbg-mollipo": "rmse",
            "ogbg-molmuv": "ap",
            "ogbg-molpcba": "ap",
            "ogbg-molsider": "roc_auc",
            "ogbg-moltox21": "roc_auc",
            "ogbg-moltoxcast": "roc_auc",
            "ogbg-ppa": "accuracy",
        },
    ),
]
