"""Graphs of other packages: in and out, and back in the type that was given."""

from graphsparse.convert.border import Border, as_border, as_graph
from graphsparse.convert.hetero_types import hetero_borders, restore_hetero
from graphsparse.convert.networkx_types import from_networkx, to_networkx
from graphsparse.convert.pyg_types import from_pyg, is_data, is_hetero, to_pyg
from graphsparse.convert.scipy_types import from_scipy, to_scipy
from graphsparse.convert.torch_types import (
    from_edge_index,
    from_torch_sparse,
    to_edge_index,
    to_torch_sparse,
)

__all__ = [
    "Border",
    "as_border",
    "as_graph",
    "from_edge_index",
    "from_networkx",
    "from_pyg",
    "from_scipy",
    "from_torch_sparse",
    "hetero_borders",
    "is_data",
    "is_hetero",
    "restore_hetero",
    "to_edge_index",
    "to_networkx",
    "to_pyg",
    "to_scipy",
    "to_torch_sparse",
]
