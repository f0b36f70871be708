"""Tables of benchmarks/static_page.py."""
