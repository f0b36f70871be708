"""Two-step patterns of digraphs: how often they join nodes of one label, counted and judged."""
