"""GraphML and GML, read and written through networkx: for small graphs that come from elsewhere."""

from __future__ import annotations

import io
import math
import re
import warnings
from typing import Any, BinaryIO

import numpy as np

from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph
from graphsparse.io.assemble import EdgeTable, assemble
from graphsparse.io.id_map import check_id_map_path, write_id_map
from graphsparse.io.options import Array, ReadOptions
from graphsparse.io.streams import PathLike, create_text, open_bytes, source_name, split_suffix

OPTIONS = frozenset({"weight", "id_map"})
MAX_BYTES = 64 << 20  # networkx takes tens of bytes of memory, and a microsecond, per byte of text
_UNSAFE = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


def read_graphml(source: PathLike | BinaryIO, options: ReadOptions) -> tuple[Graph, dict[str, Any]]:
    """Read a GraphML file without document type: those can hold entities that explode."""
    text = _read_all(source)
    unsafe = _UNSAFE.search(text)
    if unsafe is not None:
        line = text.count(b"\n", 0, unsafe.start()) + 1
        raise GraphFormatError(
            f"{source_name(source)}:{line}: expected GraphML without a document type, "
            f"got {unsafe.group().decode()}"
        )
    return _read(text, "GraphML", source, options)


def read_gml(source: PathLike | BinaryIO, options: ReadOptions) -> tuple[Graph, dict[str, Any]]:
    """Read a GML file."""
    return _read(_read_all(source), "GML", source, options)


def _read_all(source: PathLike | BinaryIO) -> bytes:
    name = source_name(source)
    text = bytearray(1 << 16)
    held = 0
    with open_bytes(source) as stream:
        while count := stream.readinto(memoryview(text)[held:]):
            held += count
            if held > MAX_BYTES:
                raise GraphFormatError(
                    f"{name}: expected at most {MAX_BYTES} bytes of XML or GML, got more; an edge "
                    "list, Parquet or npz file holds large graphs"
                )
            if held == len(text):
                text = text + bytearray(held)
    if held == 0:
        raise GraphFormatError(f"{name}: expected a graph, got an empty file")
    if b"\0" in text[: min(held, 4096)] or text.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise GraphFormatError(f"{name}:1: expected UTF-8 text, got {bytes(text[:8])!r}")
    return bytes(text[:held]).removeprefix(b"\xef\xbb\xbf")


def _parse(text: bytes, form: str, name: str) -> Any:
    """Return the networkx graph; whatever its readers raise on a bad file is a format error."""
    import networkx as nx

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if form == "GraphML":
                return nx.read_graphml(io.BytesIO(text), force_multigraph=True)
            return nx.parse_gml(text.decode("utf-8").splitlines(), label="id")
    except Exception as error:
        position = getattr(error, "position", None)
        line = f":{position[0]}" if position else ""
        what = f"{type(error).__name__}: {error}".split("\n")[0][:200]
        raise GraphFormatError(f"{name}{line}: expected a {form} graph ({what})") from error


def _read(
    text: bytes, form: str, source: PathLike | BinaryIO, options: ReadOptions
) -> tuple[Graph, dict[str, Any]]:
    if options.id_map is not None:
        check_id_map_path(options.id_map)
    name = source_name(source)
    found = _parse(text, form, name)
    number = {node: i for i, node in enumerate(found)}
    ends = np.array([(number[a], number[b]) for a, b in found.edges()], np.int64).reshape(-1, 2)
    n = len(number)
    if options.num_nodes is not None and options.num_nodes != n:
        raise GraphFormatError(f"{name}: expected num_nodes={options.num_nodes} as asked, got {n}")
    asked = options.directed
    table = EdgeTable(
        u=np.ascontiguousarray(ends[:, 0]),
        v=np.ascontiguousarray(ends[:, 1]),
        weights=_weights(found, options, name),
        num_nodes=n,
        directed=found.is_directed() if asked is None else asked,
        directed_by="file" if asked is None else "option",
        where=lambda row: f"{name}: edge {row}",
    )
    graph, done = assemble(table, options)
    done["ids"] = ids = _ids(found)
    done["ignored"] = _ignored(found, options)
    if options.id_map is not None:
        write_id_map(options.id_map, ids)
        done["id_map"] = str(options.id_map)
    return graph, done


def _ids(found: Any) -> Array:
    """Return labels where every node has one, else ids, in the order of the file."""
    labels = [data.get("label") for _, data in found.nodes(data=True)]
    if all(isinstance(label, str) for label in labels):
        return np.array(labels, dtype=object)
    return np.array([str(node) for node in found], dtype=object)


def _weights(found: Any, options: ReadOptions, name: str) -> Array | None:
    if options.weight is None:
        return None
    key = "weight" if options.weight == "auto" else options.weight
    values = [data.get(key) for _, _, data in found.edges(data=True)]
    if all(value is None for value in values) and options.weight == "auto":
        return None
    for i, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise GraphFormatError(
                f"{name}: edge {i}: expected a finite number as {key!r}, got {value!r}"
            )
    return np.array(values, dtype=np.float64)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False


def _ignored(found: Any, options: ReadOptions) -> tuple[str, ...]:
    nodes = {key for _, data in found.nodes(data=True) for key in data} - {"label"}
    used = {"weight" if options.weight == "auto" else options.weight, "id"}
    edges = {key for _, _, data in found.edges(data=True) for key in data} - used
    told = [f"node attribute {key!r}" for key in sorted(map(str, nodes))]
    return (*told, *(f"edge attribute {key!r}" for key in sorted(map(str, edges))))


def write(graph: Graph, path: PathLike) -> None:
    """Write GraphML or GML by suffix; nodes are called 0 to n - 1."""
    import networkx as nx

    kinds = {
        (False, False): nx.Graph,
        (False, True): nx.DiGraph,
        (True, False): nx.MultiGraph,
        (True, True): nx.MultiDiGraph,
    }
    out = kinds[graph.has_parallel_edges, graph.directed]()
    out.add_nodes_from(range(graph.num_nodes))
    u, v = (ends.tolist() for ends in graph.edges())
    weights = graph.edge_weights()
    if weights is None:
        out.add_edges_from(zip(u, v, strict=True))
    else:
        out.add_weighted_edges_from(zip(u, v, weights.astype(np.float64).tolist(), strict=True))
    writer = nx.write_gml if split_suffix(path)[0] == ".gml" else nx.write_graphml_xml
    with create_text(path) as file:
        writer(out, file)
