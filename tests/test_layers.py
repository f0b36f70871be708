"""The plan of the house, read from the imports: down the layers, never up or sideways."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

# Ground floor first; the modules of one row do not know each other.
ROWS = [
    {"errors"},
    {"checks"},
    {"backend"},
    {"launch"},
    {"radix"},
    {"device"},
    {"rng"},
    {"graph"},
    {"convert", "io", "linalg", "selection", "sketch"},
    {"operators", "streaming", "datasets"},
    {"quality"},
    {"transforms", "loaders", "models"},
    {"training"},
    {"cli"},
]
LEVEL = {name: level for level, row in enumerate(ROWS) for name in row}
NUMERIC = {"numpy", "scipy"}
LEARNING = NUMERIC | {"torch", "torch_geometric"}
# What the modules of each row may import at module level from elsewhere.
FOREIGN = [{"numpy"}] * 7 + [NUMERIC] * 4 + [LEARNING] * 2 + [NUMERIC | {"typer"}]
# Doors: they hold the public names of all layers and no code of their own.
DOORS = {"graphsparse", "graphsparse.__main__"}
PACKAGE = Path(__file__).resolve().parents[1] / "graphsparse"


def module_name(file: Path) -> str:
    """Return the dotted name of a source file."""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def is_type_checking(node: ast.stmt) -> bool:
    """Tell whether a statement is ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def module_level(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements that run at import, those inside if, try and with included."""
    found = []
    for node in body:
        if is_type_checking(node) or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        found.append(node)
        for field in ("body", "orelse", "finalbody"):
            found += module_level(getattr(node, field, []))
        for handler in getattr(node, "handlers", []):
            found += module_level(handler.body)
    return found


def imports(name: str) -> set[str]:
    """Return the modules that a module imports at module level; own ones as existing modules."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    found = set()
    for node in module_level(tree.body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import at line {node.lineno}"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {i if i in MODULES else str(node.module) for i in inner}
    return found


def top_level(name: str) -> str:
    """Return the part of a module name that has a row in the plan."""
    return name.split(".")[1]


GRAPH = {name: imports(name) for name in MODULES}


def test_every_module_has_a_row() -> None:
    unknown = {name for name in MODULES if name not in DOORS and top_level(name) not in LEVEL}
    assert not unknown, "give these a row in tests/test_layers.py and CONTRIBUTING.md"


@pytest.mark.parametrize("name", sorted(MODULES.keys() - DOORS))
def test_imports_go_down(name: str) -> None:
    level = LEVEL[top_level(name)]
    own = {other for other in GRAPH[name] if other.startswith("graphsparse.")}
    own.discard("graphsparse._native")
    wrong = {
        other
        for other in own
        if top_level(other) != top_level(name) and LEVEL[top_level(other)] >= level
    }
    assert not wrong, f"{name} imports up or sideways"
    if name != "graphsparse.backend":
        assert "graphsparse" not in GRAPH[name], f"{name} imports the package's door"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_foreign_packages_stay_in_their_row(name: str) -> None:
    level = 0 if name in DOORS else LEVEL[top_level(name)]
    roots = {other.split(".")[0] for other in GRAPH[name]}
    foreign = roots - set(sys.stdlib_module_names) - {"graphsparse"}
    assert foreign <= FOREIGN[level], f"{name} imports at module level what its row may not"


def test_no_import_cycles() -> None:
    state: dict[str, str] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert state.get(name) != "open", f"import cycle: {' -> '.join((*trail, name))}"
        if state.get(name) == "done":
            return
        state[name] = "open"
        for other in sorted(GRAPH[name] & MODULES.keys()):
            visit(other, (*trail, name))
        state[name] = "done"

    for name in sorted(MODULES):
        visit(name, ())


def test_cuda_stays_a_namespace_package() -> None:
    # With an __init__.py of ours CuPy cannot be imported: cuda is NVIDIA's namespace.
    assert not (PACKAGE.parent / "cuda" / "__init__.py").exists()
    assert not (PACKAGE.parent / "datasets" / "__init__.py").exists()


def cpu_seconds(*arguments: str) -> float:
    """Return the least CPU time of a Python command over several runs."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL, check=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime)"
    )
    command = [sys.executable, "-c", code, *arguments]
    return min(
        float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        for _ in range(5)
    )


def test_import_is_light(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    code = "import graphsparse, sys; print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    loaded = set(run.stdout.split())
    heavy = {"torch", "torch_geometric", "pandas", "matplotlib", "networkx", "pyarrow", "typer"}
    assert "numpy" in loaded
    assert not loaded & heavy
    assert cpu_seconds("-c", "import graphsparse") < 0.150


def test_help_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert cpu_seconds("-m", "graphsparse", "--help") < 0.300
