"""Reads what the Autobahn suite found, judges it, writes the page, and prints the table.

Usage: report.py FOLDER PAGE REMARK; FOLDER holds wstest.log and reports/. Exit 1 if the run is not clean."""

import ast
import collections
import copy
import datetime
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
AGENT = "landline"
SECTIONS = {
    "1": "text and binary messages",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragments",
    "6": "UTF-8",
    "7": "closing",
    "9": "large and many messages",
    "10": "a message in many fragments",
}
# What the suite sends in cases that it does not judge.
NOTES = {
    "7.1.6": " Sent: a message of 256 KiB, a short one, a close, a ping, back to back. Nothing is owed after the close.",
    "7.13.1": " Sent: a close with code 5000.",
    "7.13.2": " Sent: a close with code 65535.",
}
# From best to worst; whatever else the suite says is a failure.
GOOD = ("OK", "INFORMATIONAL", "NON-STRICT")
FAILED = "failed"


def order(case):
    return [int(part) for part in case.split(".")]


def verdict(row):
    """The worse of a case's two verdicts: on what was sent, and on how the connection ended."""
    both = (row["behavior"], row["behaviorClose"])
    if any(one not in GOOD for one in both):
        return FAILED
    return max(both, key=GOOD.index)


def wrong(planned, cases):
    """What keeps the run from being clean, a line for each; nothing if all is well."""
    lines = [f"{case}: did not run" for case in sorted(planned - cases.keys(), key=order)]
    for case in sorted(cases, key=order):
        row = cases[case]
        if verdict(row) == FAILED:
            lines.append(f"{case}: {row['behavior']}, closing {row['behaviorClose']}, code {row['remoteCloseCode']}")
    return lines


def check_the_judging(planned, cases):
    """The control: a failure of either kind and a case left out must each be seen."""
    case = min(cases, key=order)
    seen = []
    for field, value in (("behavior", "FAILED"), ("behaviorClose", "WRONG CODE"), ("behaviorClose", "UNCLEAN")):
        turned = copy.deepcopy(cases)
        turned[case][field] = value
        seen.append(len(wrong(planned, turned)))
    seen.append(len(wrong(planned, {name: row for name, row in cases.items() if name != case})))
    already = len(wrong(planned, cases))
    expected = already if verdict(cases[case]) == FAILED else already + 1
    if any(count != expected for count in seen[:3]) or seen[3] < expected:
        raise SystemExit(f"the judging does not see what it must: {seen}, without a change {already}")


def table(planned, cases):
    columns = [*GOOD, FAILED, "did not run"]
    lines = [f"| section | | cases | {' | '.join(columns)} |", "|" + "---|" * (len(columns) + 3)]
    for number, title in [*SECTIONS.items(), ("all", "")]:
        names = [case for case in planned if number in ("all", case.split(".")[0])]
        counts = collections.Counter(verdict(cases[case]) if case in cases else "did not run" for case in names)
        cells = [number, title, str(len(names)), *(str(counts[column]) for column in columns)]
        if number == "all":
            cells = [f"**{cell}**" if cell else "" for cell in cells]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def remarks(folder, cases, kind):
    """One line for each case with this verdict, with what the suite saw."""
    lines = []
    for case in sorted(cases, key=order):
        row = cases[case]
        if verdict(row) == kind:
            detail = json.loads((folder / "reports" / row["reportfile"]).read_text(encoding="utf-8"))
            came = ", ".join(event[0] for event in detail["received"]) or "nothing"
            lines.append(f"- {case}: came back: {came}; closed with {row['remoteCloseCode']}.{NOTES.get(case, '')}")
    return "\n".join(lines) or "None."


def tree():
    """The commit, and whether the code that is tested is still that commit's."""
    git = lambda *words: subprocess.run(
        ["git", "-C", ROOT, *words], text=True, capture_output=True, timeout=60, check=False
    ).stdout.strip()
    changed = git("status", "--porcelain", "--", "shared/wire", "dataplane/examples")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with local changes" if changed else "")


def page(folder, planned, cases, remark, lines, suite):
    counts = collections.Counter(map(verdict, cases.values()))
    clean = f"{len(cases)} cases without a failure: " + ", ".join(f"{counts[kind]} {kind}" for kind in GOOD)
    outcome = "; ".join(lines) or clean
    return f"""# Autobahn

The [Autobahn test suite](https://github.com/crossbario/autobahn-testsuite) as a client, against an echo server on the
switch's own WebSocket code (`dataplane/examples/echo.rs`). **Outcome: {outcome}.**

- {datetime.datetime.now(datetime.UTC).date()}, `tests/conformance/autobahn/run`
- {suite}, {remark}
- debug build, tree at {tree()}

{table(planned, cases)}

A case has two verdicts, on what was sent and on how the connection ended; it is counted under the worse. The upgrade,
frame headers, masks, fragments, close codes and the going on in a second buffer (`Reader::cut`) are the switch's, from
`shared/wire`. The sockets are not, and neither is the check of text, which the echo server makes as it arrives: the
switch refuses all text (1003). Compression is not offered: sections 12 and 13 are left out.

## NON-STRICT

{remarks(folder, cases, "NON-STRICT")}

## INFORMATIONAL

The suite records these and does not judge them.

{remarks(folder, cases, "INFORMATIONAL")}
"""


def main():
    folder, target, remark = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    log = (folder / "wstest.log").read_text(encoding="utf-8")
    versions = re.search(r"Testsuite Version ([\d.]+) / Autobahn Version ([\d.]+)", log)
    plan = re.search(r"^Cases = (\[.*\])$", log, re.MULTILINE)
    index = folder / "reports/index.json"
    if not versions or not plan or not index.is_file():
        raise SystemExit(f"the suite left no report: see {folder / 'wstest.log'}")
    planned = set(map(str, ast.literal_eval(plan.group(1))))
    cases = json.loads(index.read_text(encoding="utf-8")).get(AGENT, {})
    if not cases or {case.split(".")[0] for case in planned} != SECTIONS.keys():
        raise SystemExit(f"the suite did not run what was asked for: {len(planned)} planned, {len(cases)} run")
    check_the_judging(planned, cases)
    lines = wrong(planned, cases)
    suite = f"autobahntestsuite {versions.group(1)} on autobahn {versions.group(2)}"
    target.write_text(page(folder, planned, cases, remark, lines, suite), encoding="utf-8")
    print(table(planned, cases))
    strict = sum(verdict(row) == "NON-STRICT" for row in cases.values())
    print("\n".join(lines) or f"clean: {len(cases)} cases, {strict} of them NON-STRICT")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
