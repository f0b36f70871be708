"""Laplacians, solvers, resistances and condition numbers; nothing here forms a dense matrix
larger than its documented limit."""

from graphsparse.linalg.condition import ConditionNumber, condition_number
from graphsparse.linalg.factor import LaplacianFactor, factorize
from graphsparse.linalg.matrices import laplacian, normalized_adjacency
from graphsparse.linalg.pcg import PcgResult, pcg
from graphsparse.linalg.resistance import effective_resistance
from graphsparse.linalg.spectrum import (
    QuadraticFormReport,
    SpectrumReport,
    compare_quadratic_forms,
    compare_spectra,
    quadratic_form,
)
from graphsparse.linalg.tree import SpanningTree, spanning_tree

__all__ = [
    "ConditionNumber",
    "LaplacianFactor",
    "PcgResult",
    "QuadraticFormReport",
    "SpanningTree",
    "SpectrumReport",
    "compare_quadratic_forms",
    "compare_spectra",
    "condition_number",
    "effective_resistance",
    "factorize",
    "laplacian",
    "normalized_adjacency",
    "pcg",
    "quadratic_form",
    "spanning_tree",
]
