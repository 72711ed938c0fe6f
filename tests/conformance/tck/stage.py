"""The two stages that the kit sees one server on: on its own loopback, and through the relay."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import time
import urllib.parse
from pathlib import Path

import kit as kits
from networks import BEHIND, LOOPBACK, OUTSIDE, ROUTER

PORT = 9999
WAIT = 60


@contextlib.contextmanager
def process(command, log, **environment):
    """A program for the length of a block, ended by its own id. All it prints goes to `log`: nobody reads a pipe while
    the kit runs, and one that fills up would stop the program."""
    with open(log, "w", encoding="utf-8") as out:
        child = subprocess.Popen(command, env=kits.clean_environment(**environment), stdout=out, stderr=out)
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(WAIT)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(WAIT)


def announced(child, word, log):
    """Waits for the line that begins with `word`; the rest of it."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline and child.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.startswith(f"{word} ") and line.endswith("\n"):
                return line.split()[1:]
        time.sleep(0.1)
    raise SystemExit(f"no `{word}` line: see {log}")


class Stage:
    """Networks, kit and program, with a folder for logs."""

    def __init__(self, networks, kit, landline, logs, caching_card):
        self.networks, self.kit, self.landline, self.logs = networks, kit, landline, logs
        self.wrapper = [Path(__file__).with_name("caching_card.py")] if caching_card else []

    @contextlib.contextmanager
    def server(self, name):
        """A fresh server behind the NAT: its tasks live in memory, so a new process is a new state."""
        log = self.logs / f"{name}-server.log"
        command = self.networks.inside("behind", [kits.python(), *self.wrapper, self.kit.folder / kits.SERVER])
        with process(command, log, SUT_HOST=f"{LOOPBACK}:{PORT}") as child:
            deadline = time.monotonic() + WAIT
            while not self.networks.reaches("behind", kits.python(), LOOPBACK, PORT):
                if child.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the kit's server does not answer: see {log}")
                time.sleep(0.1)
            yield

    def direct(self, name):
        """Kit and server side by side on loopback."""
        with self.server(name):
            return self.judge(name, "behind", f"http://{LOOPBACK}:{PORT}")

    def relayed(self, name, scratch):
        """The server behind NAT, exposed; relay and kit outside."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.server(name))
            self.assert_unreachable()
            log = self.logs / f"{name}-relay.log"
            command = [self.landline, "up", "--listen", f"{OUTSIDE}:0", "--data", scratch / f"{name}-data"]
            relay = stack.enter_context(process(self.networks.inside("outside", command), log))
            (url,) = announced(relay, "ready", log)
            log = self.logs / f"{name}-expose.log"
            command = [self.landline, "expose", f"http://{LOOPBACK}:{PORT}", "--public", "--url", url]
            command += ["--identity", scratch / f"{name}-identity.json"]
            expose = stack.enter_context(process(self.networks.inside("behind", command), log))
            agent, base = announced(expose, "exposed", log)
            if base != f"{url}/connect/relay/{agent}":
                raise SystemExit(f"{base} is not the relay's address of {agent}")
            self.assert_card_points_at(base)
            return self.judge(name, "outside", base)

    def judge(self, name, network, base):
        verdicts = self.kit.run(
            lambda command: self.networks.inside(network, command),
            base,
            self.logs / f"{name}-verdicts.jsonl",
            self.logs / f"{name}-kit.log",
        )
        # Reasons name the address they were seen at; what is compared must not.
        authority = urllib.parse.urlsplit(base).netloc
        for row in verdicts.values():
            row["reason"] = row["reason"].replace(base, "BASE").replace(authority, "HOST")
        return verdicts

    def assert_unreachable(self):
        """The NAT is one: no connection from outside, neither to the server's address nor to the router's."""
        for address in (BEHIND, ROUTER):
            if self.networks.reaches("outside", kits.python(), address, PORT):
                raise SystemExit(f"{address}:{PORT} is reachable from outside: this is no NAT")

    def assert_card_points_at(self, base):
        """A card that named the server's own address would let the kit pass the relay by."""
        fetch = "import sys, httpx; r = httpx.get(sys.argv[1]); r.raise_for_status(); print(r.text)"
        command = self.networks.inside("outside", [kits.python(), "-c", fetch, f"{base}/.well-known/agent-card.json"])
        card = json.loads(kits.output(command))
        urls = [interface["url"] for interface in card["supportedInterfaces"]]
        if not urls or not all(url == base or url.startswith(f"{base}/") for url in urls):
            raise SystemExit(f"the relayed card points elsewhere: {urls}")


def program(scratch):
    """The binary under test and where it is from: LANDLINE_TEST_BIN, or this tree's debug build, brought up to date.

    It is a copy, so that a build that goes on beside the run cannot change it between two rounds.
    """
    named = os.environ.get("LANDLINE_TEST_BIN")
    if not named:
        kits.output(["cargo", "build", "-q", "--manifest-path", kits.ROOT / "Cargo.toml", "-p", "landline"])
    copy = scratch / "landline"
    shutil.copy(named or kits.ROOT / "target/debug/landline", copy)
    digest = hashlib.sha256(copy.read_bytes()).hexdigest()[:16]
    origin = "named by LANDLINE_TEST_BIN" if named else f"debug build of {kits.revision(kits.ROOT)}"
    return copy, f"{kits.output([copy, '--version'])}, {origin}, SHA-256 {digest}…"
