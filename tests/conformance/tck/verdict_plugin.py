"""A pytest plugin: one JSON line per test with its verdict, its transport and the reason.

JUnit's XML cannot tell a skip from an expected failure by structure, and does not name the transport. Loaded with
`-p verdict_plugin`; the file is named by VERDICTS.
"""

import json
import os

TRANSPORTS = ("jsonrpc", "http_json", "grpc")
ENDINGS = {"_jsonrpc": "jsonrpc", "_rest": "http_json", "_http_json": "http_json"}


def transport_of(item):
    """Which transport a test speaks; `card` and `any` are of none in particular."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if parameters.get("transport") in TRANSPORTS:
        return parameters["transport"]
    for name in TRANSPORTS:
        if item.get_closest_marker(name) is not None:
            return name
    for ending, name in ENDINGS.items():
        if item.originalname.endswith(ending):
            return name
    return "card" if "/agent_card/" in item.nodeid else "any"


def verdict_of(report):
    """One word; None for a phase that decides nothing."""
    expected = hasattr(report, "wasxfail")
    if report.when == "call":
        if report.passed:
            return "xpassed" if expected else "passed"
        return "xfailed" if expected and report.skipped else report.outcome
    if report.failed:
        return "error"
    return "skipped" if report.skipped else None


def reason_of(report):
    """Why it did not pass, in one line."""
    if hasattr(report, "wasxfail"):
        text = report.wasxfail
    elif isinstance(report.longrepr, tuple):
        text = report.longrepr[2]
    else:
        text = getattr(getattr(report.longrepr, "reprcrash", None), "message", str(report.longrepr or ""))
    return " ".join(text.split())[:600]


class Verdicts:
    def __init__(self, path):
        self.out = open(path, "w", encoding="utf-8")
        self.transports = {}

    def pytest_collection_modifyitems(self, items):
        self.transports = {item.nodeid: transport_of(item) for item in items}

    def pytest_runtest_logreport(self, report):
        verdict = verdict_of(report)
        if verdict is not None:
            transport = self.transports[report.nodeid]
            row = {"test": report.nodeid, "transport": transport, "verdict": verdict, "reason": reason_of(report)}
            print(json.dumps(row), file=self.out, flush=True)

    def pytest_sessionfinish(self):
        print(json.dumps({"collected": len(self.transports)}), file=self.out)
        self.out.close()


def pytest_configure(config):
    config.pluginmanager.register(Verdicts(os.environ["VERDICTS"]))
