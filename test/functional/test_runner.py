#!/usr/bin/env python3
"""Runs the functional tests, prints a line for each and closes with 'N passed, N failed, N skipped'.

BITCOIND selects the node: a name is taken from src/, anything with a slash is a path (default: bitcoind).
BITCOIN_CMD="bitcoin -m" starts it through the wrapper. Exit status 1 when a test failed.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from framework.programs import Programs
from framework.scenario import SKIPPED

HERE = pathlib.Path(__file__).resolve().parent


def scenarios(filters):
    """All scenario files, or those whose name holds one of the filters."""
    files = sorted(f for f in HERE.glob("*.py") if f.name != "test_runner.py")
    return [f for f in files if not filters or any(part in f.stem for part in filters)]


def run(file, options):
    """Runs one scenario: its exit code (None for a timeout), its output and its duration."""
    command = [sys.executable, str(file), f"--tmpdir={options.tmpdir}", f"--timeout={options.timeout // 3}"]
    if options.keep:
        command.append("--keep")
    start = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, errors="replace")
    try:
        output, _ = child.communicate(timeout=options.timeout)
        code = child.returncode
    except subprocess.TimeoutExpired:
        # An interrupt lets the scenario stop its nodes and say where it was.
        child.send_signal(signal.SIGINT)
        try:
            output, _ = child.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            output, _ = child.communicate()
        code = None
    return code, output, time.monotonic() - start


def main():
    """Runs what was asked for and reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters", nargs="*", help="run only scenarios whose name holds one of these")
    parser.add_argument("--filter", action="append", default=[], dest="more_filters", help="the same as an option")
    parser.add_argument("-j", "--jobs", type=int, default=max(2, os.cpu_count() or 1), help="scenarios at a time")
    parser.add_argument("--timeout", type=int, default=180, help="seconds before a scenario is ended (default: 180)")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run each scenario so many times")
    parser.add_argument("--keep", action="store_true", help="leave the data directories and say where they are")
    parser.add_argument("--tmpdir", default=tempfile.gettempdir(), help="where the data directories go")
    options = parser.parse_args()
    programs = Programs()
    files = scenarios(options.filters + options.more_filters) * options.repeat
    if not files:
        print("no scenario has such a name")
        return 1
    print(f"testing {' '.join(programs.node)} ({'split' if programs.split else 'one process'})", flush=True)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    failures = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        pending = {pool.submit(run, file, options): file for file in files}
        for done in concurrent.futures.as_completed(pending):
            code, output, seconds = done.result()
            verdict = {0: "passed", SKIPPED: "skipped"}.get(code, "failed")
            counts[verdict] += 1
            failures[pending[done].stem] += verdict == "failed"
            print(f"{verdict:8}{seconds:6.1f} s  {pending[done].stem}", flush=True)
            if verdict == "failed" or options.keep:
                note = f"\n  | ended after {options.timeout} s" if code is None else ""
                print("  | " + output.strip().replace("\n", "\n  | ") + note, flush=True)
    if options.repeat > 1:
        for name, count in sorted(failures.items()):
            if count:
                print(f"{name} failed {count} of {options.repeat} times")
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
