"""What is measured: how each server is started, and how the load generator reaches it."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
import uuid

from .machine import say

# Agents that every server has: enough for the most pairs of a shape, and for pairs that are chosen by their cores.
AGENTS = 320
DRAIN_LIMIT = 120
# Sockets that may be new at once: callers over HTTP, and all lines of an attach storm.
PENDING = 2_000
# The gauge of records of calls that wait for the exchange.
WAITING = "landline_reports_waiting"


class Server:
    """One process. `cores` are its own; the load has the rest of the machine, or shares it."""

    def __init__(self, here, name, cores):
        self.here, self.name = here, name
        mine, self.load_processors = here.processors(cores)
        self.pin = here.pinned(mine)

    def settle(self):
        """Waits until nothing of the last load is left to be done."""

    def stop(self):
        self.here.stop(self.process)


class Raw(Server):
    """The floor: bytes between two sockets. On two cores each reads one end and writes the other end's socket."""

    def __init__(self, here, name, cores):
        super().__init__(here, name, cores)
        command = [here.program("landline-loadgen"), "raw-server"]
        if cores > 1:
            command = [here.program("landline-peer"), "across"]
        self.process, self.address = here.start(name, *self.pin, *command)

    def words(self, scenario):
        return ["raw", "--addr", self.address]


class Nats(Server):
    """nats-server as Debian has it."""

    def __init__(self, here, name, cores):
        super().__init__(here, name, cores)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        # Its own bound is 65,536: idle lines may be more.
        config = here.work / f"{name}.conf"
        config.write_text("max_connections: 200000\n")
        command = ["nats-server", "-a", "127.0.0.1", "-p", str(port), "-c", str(config)]
        self.process = here.start_silent(name, *self.pin, *command)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("nats-server did not start")

    def words(self, scenario):
        return [scenario, "--target", f"nats://{self.address}"]


class Peer(Server):
    """A relay, or an agent without one, that believes whoever dials: its agents are made up."""

    def __init__(self, here, name, cores, *words):
        super().__init__(here, name, cores)
        self.process, self.url = here.start(name, *self.pin, here.program("landline-peer"), *words)
        self.agents = here.work / "agents-made-up"
        if not self.agents.exists():
            ids = [made_up_id() for _ in range(max(AGENTS, here.options.lines))]
            self.agents.write_text("".join(json.dumps({"id": i, "api_key": i}) + "\n" for i in ids))

    def words(self, scenario):
        return [scenario, "--url", self.url, "--agents-file", str(self.agents)]


def made_up_id():
    """A UUID of version 7."""
    random = bytearray(secrets.token_bytes(10))
    random[0], random[2] = 0x70 | random[0] & 0x0F, 0x80 | random[2] & 0x3F
    return str(uuid.UUID(bytes=(1_700_000_000_000).to_bytes(6, "big") + bytes(random)))


class Exchange:
    """The control plane, on the processors of the load: what it uses is not the switch's."""

    def __init__(self, here):
        self.here, self.data = here, here.work / "exchange"
        pin = here.pinned(here.processors(1)[1])
        here.start("exchange", *pin, "nice", "-n", "19", here.program("landline"), "exchange", "--link", "127.0.0.1:0", "--data",
                   str(self.data), "--rate-limits", "off", "--log-level", "warn")
        self.link = json.loads((self.data / "run.json").read_text())["link"]
        self.admin_token = self.data / "admin-token"

    def join_token(self):
        command = [self.here.program("landline"), "node", "token", "--data", str(self.data)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]


class Switch(Server):
    """The product: authentication, limits, call table and audit on. Its agents are registered."""

    def __init__(self, here, name, cores, exchange, *flags, tls=False):
        super().__init__(here, name, cores)
        self.exchange, self.data = exchange, here.work / name
        # They come from few addresses: what is bounded by address is not what is measured.
        many = str(PENDING + here.options.lines + here.options.attaches)
        self.process, self.url = here.start(
            name, *self.pin, here.program("landline"), "switch", "--join",
            f"{exchange.join_token()}@{exchange.link}", "--listen", "127.0.0.1:0", "--data", str(self.data), "--cores",
            str(cores), "--max-pending", many, "--max-pending-per-ip", many, *(["--tls-self-signed"] if tls else []), *flags)
        self.trust = ["--ca", str(self.data / "tls/certificate.pem")] if tls else []
        self.metrics = f"http://{json.loads((self.data / 'run.json').read_text())['admin']}/metrics"
        self.agents = here.work / f"{name}-agents"
        self.driver = "epoll" if "io_uring is refused" in (here.work / f"{name}.err").read_text() else "io_uring"

    def words(self, scenario):
        return [scenario, "--url", self.url, *self.trust, "--agents-file", str(self.agents), "--admin-token-file",
                str(self.exchange.admin_token)]

    def settle(self):
        deadline = time.monotonic() + DRAIN_LIMIT
        while waiting := self.reports_waiting():
            if time.monotonic() > deadline:
                say(f"{waiting} records of {self.name} still wait for the exchange after {DRAIN_LIMIT} s")
                return
            time.sleep(0.2)

    def reports_waiting(self):
        return self.gauge(WAITING)

    def gauge(self, name):
        with urllib.request.urlopen(self.metrics, timeout=10) as metrics:
            lines = metrics.read().decode().splitlines()
        found = [float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")]
        if not found:
            raise RuntimeError(f"{self.metrics} has no {name}")
        return int(found[0])


class Placed:
    """The agents of a switch of two cores, in pairs that all cross, or all stay on one core."""

    def __init__(self, switch, across):
        self.switch = switch
        self.agents = switch.here.work / f"{switch.name}-agents-{'across' if across else 'beside'}"
        on = self.agents_of_each_core()
        if across:
            pairs = zip(*on)
        else:
            # In turns one pair of each core.
            of_each = [zip(agents[::2], agents[1::2]) for agents in on]
            pairs = (pair for both in zip(*of_each) for pair in both)
        # Pairs are neighbours in the file. Callers are on both cores.
        turned = [pair if number % 2 else pair[::-1] for number, pair in enumerate(pairs)]
        self.agents.touch(0o600)
        self.agents.write_text("".join(agent + "\n" for pair in turned for agent in pair))

    def __getattr__(self, name):
        """Everything else is the switch's."""
        return getattr(self.switch, name)

    def agents_of_each_core(self):
        switch = self.switch
        if not switch.agents.exists():
            register = [*switch.words("idle"), "--lines", str(AGENTS), "--warmup", "0", "--seconds", "0.1", "--json"]
            command = [switch.here.program("landline-loadgen"), *register]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        agents = switch.agents.read_text().splitlines()
        ids = "".join(json.loads(agent)["id"] + "\n" for agent in agents)
        command = [switch.here.program("landline-peer"), "homes", "--cores", "2"]
        homes = subprocess.run(command, input=ids, capture_output=True, text=True, check=True).stdout.split()
        return [[agent for agent, home in zip(agents, homes) if home == core] for core in "01"]

    def words(self, scenario):
        return [scenario, "--url", self.switch.url, "--agents-file", str(self.agents)]


def there_is_nats():
    os.environ["PATH"] += ":/usr/sbin"
    return shutil.which("nats-server") is not None
