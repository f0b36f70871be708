#!/usr/bin/env bash
# Build, test and measure graphsparse on a machine with a GPU, without a network, in ten minutes.
#
#   benchmarks/gpu.sh             everything
#   benchmarks/gpu.sh --emulate   the same steps without a GPU and at toy size: does the code run?
#
# Needs Python 3.11 or newer with numpy, scipy, cupy, torch, pytest, scikit-build-core, nanobind,
# cmake, ninja and a C++ compiler.  Each step has its own time limit; a step that fails is named,
# and the others still run.  PYTHON chooses the interpreter; results are copied to $OUT if it is set.
set -u
cd "$(dirname "$0")/.." || exit 2
root=$PWD
python=${PYTHON:-python3}
emulate=()
[ "${1:-}" = --emulate ] && emulate=(--emulate)
deadline=$((SECONDS + 570))
failed=()
export PYTHONSAFEPATH=1 OMP_WAIT_POLICY=passive PIP_BREAK_SYSTEM_PACKAGES=1
[ ${#emulate[@]} -eq 0 ] && export GRAPHSPARSE_REQUIRE_GPU=1  # a skipped test is a failed one

# step NAME SECONDS COMMAND...: run it within its limit and what is left of the ten minutes.
step() {
  local name=$1 limit=$2 left=$((deadline - SECONDS)) start=$SECONDS status
  shift 2
  [ "$limit" -gt "$left" ] && limit=$left
  echo "== $name (at most $limit s)"
  if [ "$limit" -lt 5 ]; then
    echo "-- $name: no time left"
    failed+=("$name: no time left")
    return
  fi
  timeout -k 5 "$limit" "$@"
  status=$?
  echo "-- $name: status $status after $((SECONDS - start)) s"
  [ "$status" -eq 0 ] || failed+=("$name: status $status")
}

bench() {
  step "$1" "$2" env PYTHONPATH="$root/benchmarks" "$python" "$root/benchmarks/$1.py" \
    "${emulate[@]+"${emulate[@]}"}"
}

[ ${#emulate[@]} -eq 0 ] && rm -f benchmarks/results/gpu-*.json
if [ ${#emulate[@]} -eq 0 ]; then
  step machine 20 nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv
  step build 240 "$python" -m pip install -q --no-build-isolation --no-deps --no-index \
    --force-reinstall --disable-pip-version-check .
fi
step versions 60 "$python" -c '
import platform, numpy, scipy
print("python", platform.python_version(), "numpy", numpy.__version__, "scipy", scipy.__version__)
from graphsparse.cli import main
main(["doctor"])'
# Other versions may warn of other things; here only results count.
step tests 200 "$python" -m pytest -q -W default -p no:cacheprovider tests/cuda/test_on_gpu.py
if [ ${#emulate[@]} -eq 0 ] && command -v compute-sanitizer > /dev/null; then
  step memcheck 90 env PYTHONPATH="$root/benchmarks" compute-sanitizer --tool memcheck \
    --target-processes all --error-exitcode 9 "$python" benchmarks/gpu_small.py
else
  echo "-- memcheck: left out, no compute-sanitizer or no GPU"
  bench gpu_small 60
fi
bench gpu_walks 120
bench gpu_teddy 60
bench gpu_l0 60
bench gpu_fastrp 60
bench gpu_segment 60
bench gpu_edge_attention 60
if [ ${#emulate[@]} -eq 0 ] && command -v compute-sanitizer > /dev/null; then
  step racecheck 60 env PYTHONPATH="$root/benchmarks" compute-sanitizer --tool racecheck \
    --target-processes all --error-exitcode 9 "$python" benchmarks/gpu_small.py
fi

if [ -n "${OUT:-}" ] && [ ${#emulate[@]} -eq 0 ]; then
  cp benchmarks/results/gpu-*.json "$OUT"/ 2> /dev/null || true
fi
echo
[ ${#emulate[@]} -eq 0 ] && "$python" benchmarks/gpu_table.py
echo "took $SECONDS s"
if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[@]}"
  exit 1
fi
echo "all steps passed"
