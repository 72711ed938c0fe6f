"""Puts the results of bench/run into a page: medians, ratios to the floor, and the conditions they were taken under."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time

SCENARIOS = {"raw": "raw TCP relay, no parsing (the floor)", "ws": "call, line to line", "http": "call, HTTP to line"}


def command(*words: str) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def cpu_model() -> str:
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        models = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return models[0] if models else platform.machine()


def conditions() -> list[str]:
    with open("/proc/loadavg", encoding="ascii") as load:
        after = " ".join(load.read().split()[:3])
    state = "" if command("git", "status", "--porcelain", "-uno") == "" else ", with local changes"
    return [
        f"- {cpu_model()}, {os.cpu_count()} CPUs, kernel {platform.release()}, loopback, {time.strftime('%F %H:%M', time.gmtime())} UTC",
        f"- {command('rustc', '--version')}, {os.environ['PROFILE']} build of {command('git', 'rev-parse', '--short', 'HEAD')}{state}",
        f"- switch with one core ({os.environ['DRIVER']}), authentication, limits, call table and audit on; the exchange runs beside it",
        f"- medians of {os.environ['ROUNDS']} rounds of {os.environ['SECONDS_EACH']} s, in turns; load average before {os.environ['LOAD_BEFORE']}, after {after}",
        "- CPU is the server process's user and system time, divided by the messages it relayed; a call is two messages",
    ]


def median(runs: list[dict], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def shape_table(runs: list[dict], pairs: int, in_flight: int) -> list[str]:
    here = [run for run in runs if (run.get("pairs"), run.get("in_flight")) == (pairs, in_flight)]
    floor = median([run for run in here if run["scenario"] == "raw"], "server_cpu_us_per_message")
    rows = [
        f"## {pairs} pairs, {in_flight} in flight, {here[0]['size']} B",
        "",
        "| | CPU µs per message | × floor | each round | calls/s | p50 µs | p99 µs |",
        "|---|---|---|---|---|---|---|",
    ]
    for scenario, name in SCENARIOS.items():
        of = [run for run in here if run.get("via", run["scenario"]) == scenario]
        cpu = median(of, "server_cpu_us_per_message")
        each = " ".join(f"{run['server_cpu_us_per_message']:.2f}" for run in of)
        rows.append(
            f"| {name} | **{cpu:.2f}** | {cpu / floor:.2f} | {each} | {median(of, 'calls_per_s'):,.0f} "
            f"| {median(of, 'p50_us'):,.0f} | {median(of, 'p99_us'):,.0f} |"
        )
    return [*rows, ""]


def idle_table(run: dict) -> list[str]:
    return [
        f"## {run['lines']:,} idle lines",
        "",
        f"- **{run['bytes_per_line']:,.0f} bytes** of resident memory a line "
        f"({run['rss_before'] / 2**20:.1f} MiB before, {run['rss_after'] / 2**20:.1f} MiB with them)",
        f"- all up in {run['open_seconds']:.1f} s; {run['lines_at_end']:,} still up after {run['hold_seconds']:.0f} s",
        f"- CPU while they were held, heartbeats included: {run['hold_cpu_us'] / 1e6:.2f} s, "
        f"{run['hold_cpu_us'] / run['lines'] / run['hold_seconds']:.2f} µs a line and second",
        "",
    ]


def main() -> None:
    with open(sys.argv[1], encoding="ascii") as results:
        runs = [json.loads(line) for line in results]
    page = [f"# Measured on {time.strftime('%F', time.gmtime())}", "", *conditions(), ""]
    for pairs, in_flight in dict.fromkeys((run["pairs"], run["in_flight"]) for run in runs if "pairs" in run):
        page += shape_table(runs, pairs, in_flight)
    for run in runs:
        if run["scenario"] == "idle":
            page += idle_table(run)
    page += ["Taken by `bench/run` (`tests/run bench`). Compare ratios within one run, not figures of two machines."]
    print("\n".join(page))


main()
