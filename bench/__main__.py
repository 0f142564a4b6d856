"""`python -m bench`: see README.md beside it."""

from __future__ import annotations

import argparse
import gc
import sys

import uvloop

from bench.report import table
from bench.server import running
from bench.workloads import GAPS, HOLES, LOST, measure


def main() -> int:
    """Exit code 1 when a member was not told of something."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Confr under load.")
    parser.add_argument("--runs", type=int, default=1, help="how often; the table shows the medians (1)")
    parser.add_argument("--workers", type=int, default=2, help="uvicorn workers (2)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 200, 1000], help="W2's conferences")
    parser.add_argument("--only", nargs="+", default=[], choices=["w1", "w2", "w3", "w4", "w5", "w6"])
    options = parser.parse_args()
    gc.disable()  # pauses of ours would be measured as the server's
    runs = []
    for number in range(options.runs):
        with running(options.workers) as server:
            runs.append(uvloop.run(measure(server, options.sizes, options.only)))
        gc.collect()
        print(f"run {number + 1} of {options.runs} done", file=sys.stderr, flush=True)
    print(table(runs))
    return int(any(run[name] for run in runs for name in (HOLES, GAPS, LOST)))


if __name__ == "__main__":
    sys.exit(main())
