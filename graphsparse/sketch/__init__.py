"""The parts of FastRP: options, projection, transition matrix, powers, merge, column shards."""

from graphsparse.sketch.embed import embed
from graphsparse.sketch.memory import MemoryEstimate, estimate_memory
from graphsparse.sketch.options import FastRPOptions
from graphsparse.sketch.shards import embed_shards
from graphsparse.sketch.state import FastRPState

__all__ = [
    "FastRPOptions",
    "FastRPState",
    "MemoryEstimate",
    "embed",
    "embed_shards",
    "estimate_memory",
]
