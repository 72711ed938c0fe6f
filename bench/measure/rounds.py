"""Runs the shapes in turns: every server of a shape right after the other, in a different order each round."""

import functools
import json
import subprocess

from . import servers
from .machine import say
from .results import Results


class Failed(Exception):
    """A part that is worth nothing: an error, or no answer at all."""


class Stage:
    """Servers that are up. One that was not needed yet is started when it is."""

    def __init__(self, here):
        self.here, self.up, self.drivers = here, {}, set()

    @functools.cached_property
    def exchange(self):
        return servers.Exchange(self.here)

    def server(self, name):
        if name not in self.up:
            self.up[name] = self.start(name)
            if isinstance(self.up[name], servers.Switch):
                self.drivers.add(self.up[name].driver)
        return self.up[name]

    def stop_servers(self):
        """The next ones are new processes: two of one build differ by where their memory came to lie."""
        for server in self.up.values():
            server.stop()
        self.up.clear()

    def start(self, name):
        here, peer = self.here, functools.partial(servers.Peer, self.here, name)
        match name:
            case "raw" | "raw-2":
                return servers.Raw(here, name, 2 if name.endswith("-2") else 1)
            case "nats" | "nats-2":
                return servers.Nats(here, name, 2 if name.endswith("-2") else 1)
            case "tungstenite":
                return peer(1, "tungstenite")
            case "batched":
                return peer(1, "tungstenite", "--batched")
            case "tungstenite-2":
                return peer(2, "tungstenite", "--threads", "2")
            case "batched-2":
                return peer(2, "tungstenite", "--threads", "2", "--batched")
            case "direct":
                return peer(1, "direct")
            case "switch-silent":
                return servers.Switch(here, name, 1, self.exchange, "--audit", "off")
            case "switch-tls":
                return servers.Switch(here, name, 1, self.exchange, tls=True)
            case "switch-2-across" | "switch-2-beside":
                return servers.Placed(self.server("switch-2"), across=name.endswith("across"))
            case "switch-2":
                return servers.Switch(here, name, 2, self.exchange)
            case "switch-http":
                return self.server("switch")
            case "switch":
                return servers.Switch(here, name, 1, self.exchange)
        raise ValueError(name)

    def restart(self, name):
        """One that carried nothing before: memory that calls left behind is not an idle line's."""
        if name in self.up:
            self.up.pop(name).stop()
        return self.server(name)


def words(shape, name, options):
    """What the load generator is told, apart from where the server is."""
    over_http = ["--via", "http"] if name in ("switch-http", "direct") else []
    timed = {
        "storm": ["--lines", str(options.attaches), "--seconds", "30", "--warmup", "1"],
        "idle": ["--lines", str(options.lines), "--seconds", str(options.hold), "--warmup",
                 str(min(5, options.hold))],
    }.get(shape.scenario, ["--seconds", str(options.seconds), "--warmup", "0.5"])
    return [*over_http, *shape.words, *timed]


def measure(here, stage, shape, name, options):
    server = stage.restart(name) if shape.alone else stage.server(name)
    # The floor has one scenario only.
    scenario, *where = server.words(shape.scenario)
    load = [scenario, *words(shape, name, options)]
    say(f"{shape.name}: {name}")
    pin = here.pinned(server.load_processors)
    watch = ["--server-pid", str(server.process.pid), "--json", "--strict"]
    command = [*pin, here.program("landline-loadgen"), load[0], *where, *load[1:], *watch]
    ran = subprocess.run(command, capture_output=True, text=True)
    server.settle()
    if shape.alone:
        stage.up.pop(name).stop()
    shown = " ".join(["landline-loadgen", scenario, *shown_words(where), *load[1:], "--server-pid", "PID"])
    result = json.loads(ran.stdout) if ran.stdout else {}
    if ran.returncode != 0:
        # Lines that all dial at once are refused now and then, and dial again: that is part of an attach storm.
        if shape.scenario != "storm" or not result:
            raise Failed(f"{shown} on {name}: {result.get('first_error')}\n{ran.stderr[-2000:]}")
        say(f"{result['errors']} dials were refused first: {result.get('first_error')}")
    return result, shown


def shown_words(where):
    """Where a server was, without what changes from run to run."""
    names = {"--url": "URL", "--addr": "ADDR", "--target": "nats://ADDR"}
    return [word for option in where if option in names for word in (option, names[option])]


def run(here, shapes, options):
    stage, results = Stage(here), Results()
    missing = set()
    if not servers.there_is_nats():
        say("there is no nats-server: it is left out (tests/run bench unpacks one)")
        missing = {"nats", "nats-2"}
    usual = [shape for shape in shapes if not shape.alone]
    passes = [usual] * options.rounds + [[shape for shape in shapes if shape.alone]]
    for number, chosen in enumerate(passes):
        stage.stop_servers()
        for shape in chosen:
            names = [name for name in shape.servers if name not in missing]
            turned = number % len(names)
            for name in names[turned:] + names[:turned]:
                try:
                    result, command = measure(here, stage, shape, name, options)
                except Failed as failed:
                    # Once more: a machine that others use stands still now and then. The page says that it was so.
                    results.repeated.append(f"{shape.name}, {name}")
                    say(f"again: {failed}")
                    result, command = measure(here, stage, shape, name, options)
                results.add(shape, name, result, command)
    results.driver = ", ".join(sorted(stage.drivers))
    return results
