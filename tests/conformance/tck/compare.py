"""Two runs of the kit, test by test: what differs, the totals, and the report."""

import collections
import copy
import re

VERDICTS = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
NAMES = {
    "jsonrpc": "JSON-RPC",
    "http_json": "HTTP+JSON",
    "grpc": "gRPC (not relayed)",
    "card": "agent card",
    "any": "either",
}
# What is new in every run: ids, times, and the places in memory that Python prints.
FLEETING = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|0x[0-9a-f]+|\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)?"
)
BAD = ("failed", "error")
# Where the relay does more than the server, on purpose: tests that fail direct and pass relayed. Nothing else is excused.
CAUSES = {
    "agent_card/test_agent_card_caching.py": "The relay serves the card itself, because its interfaces must "
    "point at the relay, and gives it `Cache-Control`, `ETag` and `Last-Modified` (`controlplane/src/agents/http.rs`). "
    "The server gives its own card none of them: it fails here alone, and passes behind the relay. With "
    "`--caching-card`, which gives the server's own card these headers in both runs, no verdict differs.",
}


def differences(direct, relayed):
    """Tests whose verdict is not the same in both, or that ran in one only."""
    found = []
    for test in sorted(direct.keys() | relayed.keys()):
        one, other = direct.get(test), relayed.get(test)
        if one is None or other is None or one["verdict"] != other["verdict"]:
            found.append((test, one, other))
    return found


def is_explained(difference):
    """Does the relay pass here, for a reason that stands in CAUSES, what the server alone fails?"""
    test, one, other = difference
    known = any(short(test).startswith(file) for file in CAUSES)
    return known and one is not None and other is not None and (one["verdict"], other["verdict"]) == ("failed", "passed")


def other_reasons(direct, relayed):
    """Tests with the same verdict for another reason: a failure may hide a second one."""
    stable = lambda row: FLEETING.sub("…", row["reason"])
    both = sorted(direct.keys() & relayed.keys())
    same = [test for test in both if direct[test]["verdict"] == relayed[test]["verdict"]]
    return [(test, direct[test], relayed[test]) for test in same if stable(direct[test]) != stable(relayed[test])]


def passes(rows):
    return sum(row["verdict"] == "passed" for row in rows.values())


def check_the_comparison(rows):
    """The control: a verdict turned round, a test left out and another reason must each be seen."""
    test = next((test for test, row in rows.items() if row["verdict"] == "passed"), None)
    if test is None:
        raise SystemExit("no test passed at all: the kit and its server do not fit each other")
    turned = copy.deepcopy(rows)
    turned[test]["verdict"] = "failed"
    missing = {name: row for name, row in rows.items() if name != test}
    reworded = copy.deepcopy(rows)
    reworded[test]["reason"] = "another"
    if any(is_explained(difference) for difference in differences(rows, turned)):
        raise SystemExit("the comparison excuses what it must not")
    seen = [len(differences(rows, turned)), len(differences(rows, missing)), len(other_reasons(rows, reworded))]
    if seen != [1, 1, 1] or differences(rows, rows) or other_reasons(rows, rows):
        raise SystemExit(f"the comparison does not see what it must: {seen}")


def totals(direct, relayed):
    """A Markdown table: counts of each verdict, direct → relayed, for each transport and in all."""
    head = ["transport", "tests", *VERDICTS, "different"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    differing = {test for test, _, _ in differences(direct, relayed)}
    for name in [*NAMES, None]:
        pick = lambda rows: {t: r["verdict"] for t, r in rows.items() if name in (None, r["transport"])}
        one, other = pick(direct), pick(relayed)
        if not one and not other:
            continue
        count = [collections.Counter(side.values()) for side in (one, other)]
        cells = [pair(len(one), len(other))] + [pair(count[0][v], count[1][v]) for v in VERDICTS]
        cells.append(str(len(differing & (one.keys() | other.keys()))))
        lines.append(f"| {NAMES.get(name, '**all**')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def pair(direct, relayed):
    return f"{direct} · {relayed}"


def short(test):
    return test.removeprefix("tests/compatibility/")


def requirement(row):
    """The id of what was not met, as the kit's reason names it."""
    found = re.search(r"[A-Z][A-Z0-9_]+-[A-Z]+-\d+", row["reason"])
    return found.group() if found else "–"


def shown(row, in_full):
    if row is None:
        return "did not run"
    reason = row["reason"] if in_full else requirement(row)
    return row["verdict"] + (f" ({reason})" if row["reason"] else "")


def describe(rows, in_full=False):
    """An item for each test that is not alike; in full with the kit's own words."""
    items = (f"- `{short(t)}`: direct {shown(a, in_full)}, relayed {shown(b, in_full)}" for t, a, b in rows)
    return "\n".join(items) or "None."


def causes(rows):
    """What is known of why they differ."""
    known = [why for file, why in CAUSES.items() if any(short(test).startswith(file) for test, _, _ in rows)]
    return "".join(f"\n\n{why}" for why in known)


def failing_in_both(direct, relayed):
    """The tests that fail on both stages, by requirement: the server's own, not the relay's."""
    lines = []
    for test, row in sorted(direct.items()):
        if row["verdict"] in BAD and relayed.get(test, row)["verdict"] in BAD and test in relayed:
            lines.append(f"| {requirement(row)} | {NAMES[row['transport']]} | `{short(test)}` |")
    return "\n".join(["| requirement | transport | test |", "|---|---|---|", *sorted(lines)])
