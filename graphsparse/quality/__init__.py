"""How good a result is."""

from graphsparse.quality.embedding import MultiLabelScore, evaluate_embedding

__all__ = ["MultiLabelScore", "evaluate_embedding"]
