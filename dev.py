#!/usr/bin/env python3
"""Set up graphsparse on a bare machine and run its tasks; needs Python 3.11, pip and g++ only.

``python3 dev.py demo`` and ``python3 dev.py test`` are all that a new checkout needs.  The first
call makes ``.venv`` and installs the versions of constraints.txt; later calls start at once,
unless pyproject.toml, constraints.txt or a source file has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "graphsparse-stamp.json"
LOG = VENV / "install.log"
EXTRAS = ("gnn", "viz", "redis", "tensorboard")
PACKAGE_FILES = ("graphsparse", "cuda", "datasets", "CMakeLists.txt", "pyproject.toml")
CXX_SUFFIXES = {".hpp", ".cpp", ".cu"}
PIP = ("install", "-q", "--disable-pip-version-check", "--no-input", "--root-user-action=ignore")


# ---------------------------------------------------------------- environment


def child_environment() -> dict[str, str]:
    """Return the variables that children get: this environment first, no foreign packages."""
    dropped = {"PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_REQUIRE_VIRTUALENV"}
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    env["PATH"] = f"{VENV / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
    env["VIRTUAL_ENV"] = str(VENV)
    env["PYTHONNOUSERSITE"] = "1"
    env.setdefault("OMP_WAIT_POLICY", "passive")  # several processes share the cores
    return env


def run(*command: str | Path, **variables: str) -> int:
    """Run a command in the environment and return its exit status."""
    env = child_environment() | variables
    return subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=env, check=False
    ).returncode


def pip_command() -> list[str]:
    """Return how to call pip for the environment: its own, or the system's."""
    if any((VENV / "lib").glob("python*/site-packages/pip")):
        return [str(PYTHON), "-m", "pip"]
    if importlib.util.find_spec("pip") is None:
        sys.exit("dev.py: neither ensurepip nor pip is here; install python3-pip (or python3-venv)")
    return [sys.executable, "-m", "pip", "--python", str(PYTHON)]


def pip_install(what: str, *arguments: str) -> None:
    """Install quietly; on failure show the end of the log and stop."""
    print(f"dev.py: installing {what} ...", file=sys.stderr, flush=True)
    start = time.monotonic()
    command = [*pip_command(), *PIP, "-c", "constraints.txt", *arguments]
    with LOG.open("a", encoding="utf-8") as log:
        status = subprocess.run(
            command, cwd=ROOT, env=child_environment(), stdout=log, stderr=log, check=False
        ).returncode
    if status != 0:
        tail = LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
        print(*tail, sep="\n", file=sys.stderr)
        sys.exit(f"dev.py: installing {what} failed (status {status}); full log: {LOG}")
    print(f"dev.py: ... done in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def requirements(extras: Iterable[str], groups: Iterable[str]) -> list[str]:
    """Return the requirements of the project, some extras and some dependency groups."""
    import tomllib  # new in 3.11: an older Python must get as far as check_machine

    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = list(table["project"]["dependencies"])
    for extra in extras:
        listed += table["project"]["optional-dependencies"][extra]
    for group in groups:
        listed += table["dependency-groups"][group]
    return listed


def digest(paths: Iterable[Path]) -> str:
    """Return one hash of the names and contents of files and folders."""
    total = hashlib.sha256(sys.version.encode())
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and file.suffix not in {".so", ".pyc"}:
                total.update(f"{file.relative_to(ROOT)}\0".encode())
                total.update(file.read_bytes())
    return total.hexdigest()


def check_machine() -> None:
    """Stop with one line if something is missing that pip cannot bring."""
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit(f"dev.py: needs Python 3.11 or newer, this is {sys.version.split()[0]}")
    if not any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "c++", "g++")):
        sys.exit("dev.py: needs a C++17 compiler; install g++")
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        sys.exit("dev.py: needs the headers of Python; install python3-dev")


def make_environment() -> None:
    """Make an empty ``.venv``; without pip where this Python has no ensurepip."""
    print("dev.py: first call, making .venv (a few minutes, once)", file=sys.stderr, flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    bare = [] if importlib.util.find_spec("ensurepip") else ["--without-pip"]
    subprocess.run([sys.executable, "-m", "venv", *bare, str(VENV)], check=True)


def set_up(groups: Sequence[str] = ("dev",)) -> None:
    """Bring ``.venv`` up to date with pyproject.toml, constraints.txt and the sources."""
    key = "packages:" + "+".join(groups)
    wanted = {
        key: digest([ROOT / "pyproject.toml", ROOT / "constraints.txt"]),
        "graphsparse": digest(ROOT / name for name in PACKAGE_FILES),
    }
    done = json.loads(STAMP.read_text(encoding="utf-8")) if STAMP.is_file() else {}
    if all(done.get(name) == value for name, value in wanted.items()):
        return
    check_machine()
    if not done or not PYTHON.exists():
        make_environment()
        done = {}
    if done.get(key) != wanted[key]:
        # torch goes first and alone: another package's range must not pull another build of it.
        pip_install("torch", "torch")
        pip_install("the other packages", *requirements(EXTRAS, groups))
        done[key] = wanted[key]
        save_stamp(done)
    pip_install("graphsparse", "--no-build-isolation", "--no-deps", "--force-reinstall", ".")
    done["graphsparse"] = wanted["graphsparse"]
    save_stamp(done)


def save_stamp(done: dict[str, str]) -> None:
    """Record what is installed."""
    STAMP.write_text(json.dumps(done, indent=1), encoding="utf-8")


# ---------------------------------------------------------------------- tasks


def native_sources() -> list[Path]:
    """Return the C++ and CUDA files."""
    return sorted(p for p in (ROOT / "cuda").rglob("*") if p.suffix in CXX_SUFFIXES)


def checks() -> dict[str, list[str | Path]]:
    """Return the static checks by name."""
    return {
        "ruff check": ["ruff", "check", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "clang-format": ["clang-format", "--dry-run", "-Werror", *native_sources()],
        "mypy": ["mypy"],
    }


def lint(arguments: Sequence[str]) -> int:
    """Check style and types; ``lint --fix`` mends the style first."""
    if "--fix" in arguments:
        run("ruff", "check", "--fix", "-q", ".")
        run("ruff", "format", "-q", ".")
        run("clang-format", "-i", *native_sources())
    failed = []
    for name, command in checks().items():
        print(f"== {name}", flush=True)
        if run(*command) != 0:
            failed.append(name)
    if failed:
        print(f"dev.py: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def test(arguments: Sequence[str]) -> int:
    """Run the static checks and all tests; with arguments only pytest, which gets them."""
    safe = {"PYTHONSAFEPATH": "1"}  # tests import the installed package, never the source tree
    if arguments:
        return run(PYTHON, "-m", "pytest", *arguments, **safe)
    static = lint([])
    print("== pytest", flush=True)
    doctests = ("--doctest-modules", "--pyargs", "graphsparse")
    status = run(PYTHON, "-m", "pytest", "-q", "-n", "2", *doctests, "tests", **safe)
    if static != 0:
        print("dev.py: the static checks above failed", file=sys.stderr, flush=True)
    return status or static


def demo(arguments: Sequence[str]) -> int:
    """Sparsify and train on bundled data; writes demo/report.html."""
    return run(PYTHON, ROOT / "examples" / "demo.py", *arguments)


def build(arguments: Sequence[str]) -> int:
    """Build a wheel into dist/."""
    command = [*pip_command(), "wheel", "--no-build-isolation", "--no-deps", "-w", "dist", "."]
    return run(*command, *arguments)


def bench(arguments: Sequence[str]) -> int:
    """Run benchmarks/NAME.py; the rest goes to it."""
    names = sorted(p.stem for p in (ROOT / "benchmarks").glob("*.py"))
    if not arguments or arguments[0] not in names:
        print(f"dev.py: bench needs one of {', '.join(names)}", file=sys.stderr)
        return 2
    return run(PYTHON, ROOT / "benchmarks" / f"{arguments[0]}.py", *arguments[1:])


def docs(arguments: Sequence[str]) -> int:
    """Build the documentation into docs/_build/html; warnings are errors."""
    set_up(("dev", "docs"))
    out = ROOT / "docs" / "_build" / "html"
    options = ("-W", "--keep-going", "-q", *arguments)
    return run(PYTHON, "-m", "sphinx", *options, "docs", out, PYTHONSAFEPATH="1")


def shell(arguments: Sequence[str]) -> int:
    """Run a command in the environment: ``dev.py run graphsparse doctor``."""
    return run(*(arguments or ("graphsparse", "--help")))


def clean(arguments: Sequence[str]) -> int:
    """Remove the environment and everything that was built."""
    caches = [".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"]
    for name in [".venv", "build", "dist", "demo", "docs/_build", *caches]:
        shutil.rmtree(ROOT / name, ignore_errors=True)
    return 0


TASKS = {
    "demo": demo,
    "test": test,
    "lint": lint,
    "build": build,
    "bench": bench,
    "docs": docs,
    "run": shell,
    "clean": clean,
}


def main() -> int:
    """Run one task."""
    tasks = "\n".join(f"  {name:6}  {task.__doc__}" for name, task in TASKS.items())
    parser = argparse.ArgumentParser(
        usage="python3 dev.py TASK [ARGUMENT ...]",
        description=f"tasks:\n{tasks}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", choices=TASKS, metavar="TASK")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT")
    options = parser.parse_args()
    if options.task not in ("clean", "docs"):
        set_up()
    return TASKS[options.task](options.arguments)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
