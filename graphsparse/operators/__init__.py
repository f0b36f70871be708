"""Graph operators, one algorithm per file: graph in, graph of the same kind out."""
