"""How good a result is."""

from graphsparse.quality.auto_keep import AutoKeep, auto_keep
from graphsparse.quality.compare import Comparison, compare
from graphsparse.quality.embedding import MultiLabelScore, evaluate_embedding
from graphsparse.quality.entries import Entry
from graphsparse.quality.goals import Recommendation, recommend
from graphsparse.quality.report import FigureRow, QualityReport, quality_report

__all__ = [
    "AutoKeep",
    "Comparison",
    "Entry",
    "FigureRow",
    "MultiLabelScore",
    "QualityReport",
    "Recommendation",
    "auto_keep",
    "compare",
    "evaluate_embedding",
    "quality_report",
    "recommend",
]
