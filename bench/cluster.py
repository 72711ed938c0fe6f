"""An exchange, its switches and load generators as processes of a measurement; what /proc and /metrics say of them.

Everything that is started here is ended by its process id when the `with` block of [`Cluster`] is left, however that is.
"""

import http.client
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time

from measure import machine

ROOT = pathlib.Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
READY_LIMIT_S = 60
STOP_LIMIT_S = 40


def say(text: str) -> None:
    """Progress, on stderr."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Broken(Exception):
    """The measurement cannot be made, or found what must not be."""


def cpu_us(pid: int) -> int:
    """User and system time of a process, microseconds."""
    # The second field is the command in parentheses and may hold anything: count from its end.
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1_000_000 // TICKS


def memory(pid: int) -> dict[str, int]:
    """Resident memory of a process, bytes: all of it, and what no file is behind (heap, stacks)."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    kib = dict(re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE))
    return {"rss": int(kib["Rss"]) << 10, "anonymous": int(kib["Anonymous"]) << 10}


def run_json(process: "Process") -> dict:
    """The last line that a process wrote, as JSON."""
    lines = process.output().strip().splitlines()
    if not lines:
        raise Broken(f"{process.name} said nothing: {process.tail()}")
    return json.loads(lines[-1])


class Process:
    """A process with its output in files."""

    def __init__(self, name: str, words: list, folder: pathlib.Path, cpu: int | None = None):
        self.name, self.out, self.err = name, folder / f"{name}.out", folder / f"{name}.err"
        pin = ["taskset", "-c", str(cpu)] if cpu is not None and shutil.which("taskset") else []
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.child = subprocess.Popen(
                [*pin, *map(str, words)], stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        self.pid = self.child.pid

    def output(self) -> str:
        return self.out.read_text(encoding="utf-8", errors="replace")

    def errors(self) -> str:
        return self.err.read_text(encoding="utf-8", errors="replace")

    def tail(self) -> str:
        return " / ".join(self.errors().strip().splitlines()[-4:])

    def is_running(self) -> bool:
        return self.child.poll() is None

    def ready(self) -> str:
        """Waits for the line `ready …` and gives what follows."""
        limit = time.monotonic() + READY_LIMIT_S
        while time.monotonic() < limit:
            found = re.search(r"^ready (\S+)\n", self.output(), re.MULTILINE)
            if found:
                return found.group(1)
            if not self.is_running():
                break
            time.sleep(0.02)
        raise Broken(f"{self.name} did not become ready: {self.tail()}")

    def finish(self, limit_s: float) -> int:
        """Waits for its end and gives its status."""
        try:
            return self.child.wait(limit_s)
        except subprocess.TimeoutExpired as late:
            raise Broken(f"{self.name} is not done after {limit_s:.0f} s: {self.tail()}") from late

    def signal(self, number: int) -> None:
        if self.is_running():
            os.kill(self.pid, number)

    def stop(self, limit_s: float = STOP_LIMIT_S) -> None:
        """Asks, waits, insists."""
        self.signal(signal.SIGTERM)
        try:
            self.child.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.child.wait()


class Switch(Process):
    """A switch that has joined."""

    def __init__(self, name: str, words: list, folder: pathlib.Path, data: pathlib.Path, cpu: int | None = None):
        super().__init__(name, words, folder, cpu)
        self.url = self.ready()
        self.host, port = self.url.split("//")[1].rsplit(":", 1)
        self.port = int(port)
        self.data = data
        self.admin = json.loads((data / "run.json").read_text(encoding="utf-8"))["admin"]

    def metrics(self) -> dict[str, float]:
        return metrics(self.admin)

    def trust(self) -> ssl.SSLContext | None:
        """What a client needs that is to trust this switch's own certificate; nothing if it speaks without TLS."""
        certificate = self.data / "tls" / "certificate.pem"
        return ssl.create_default_context(cafile=str(certificate)) if self.url.startswith("https") else None

    def connect(self, trust: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
        if trust:
            return http.client.HTTPSConnection(self.host, self.port, timeout=30, context=trust)
        return http.client.HTTPConnection(self.host, self.port, timeout=30)

    def get(self, path: str) -> dict:
        connection = self.connect(self.trust())
        connection.request("GET", path)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def lines(self) -> int:
        return int(self.metrics()["landline_lines"])


def metrics(admin: str) -> dict[str, float]:
    """The samples without labels at an admin address."""
    connection = http.client.HTTPConnection(admin.removeprefix("http://"), timeout=20)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return {name: float(value) for name, value in re.findall(r"^(\w+) ([-+.\de]+)$", text, re.MULTILINE)}


class Cluster:
    """One exchange; switches and load generators by name."""

    def __init__(self, profile: str, folder: str | None = None):
        self.is_kept = folder is not None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="landline-bench-")).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.profile = profile
        self.processes: list[Process] = []
        self.began = time.strftime("%F %H:%M", time.gmtime())
        self.load_before = os.getloadavg()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def __enter__(self) -> "Cluster":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            self.programs = self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        # The load first, then the switches, then the exchange: nobody writes of others that left.
        for process in reversed(self.processes):
            process.signal(signal.SIGKILL if process.name.startswith("load") else signal.SIGTERM)
        for process in reversed(self.processes):
            process.stop(10)
        if not self.is_kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def build(self) -> dict[str, pathlib.Path]:
        """Builds both programs and copies them, so that nobody's next build changes them while they are measured."""
        words = ["cargo", "build", "-q", "-p", "landline", "-p", "landline-loadgen"]
        subprocess.run([*words, *(["--release"] if self.profile == "release" else [])], cwd=ROOT, check=True)
        built, programs = ROOT / "target" / self.profile, self.folder / "programs"
        programs.mkdir(exist_ok=True)
        return {name: pathlib.Path(shutil.copy2(built / name, programs)) for name in ("landline", "landline-loadgen")}

    def add(self, process: Process) -> Process:
        self.processes.append(process)
        return process

    def exchange(self, *options: object, cpu: int | None = None) -> Process:
        """Starts the exchange, without rate limits."""
        data = self.folder / "exchange"
        words = [self.programs["landline"], "exchange", "--link", "127.0.0.1:0", "--data", data, "--rate-limits", "off"]
        self.main = self.add(Process("exchange", [*words, *options], self.folder, cpu))
        self.main.ready()
        run = json.loads((data / "run.json").read_text(encoding="utf-8"))
        self.link, self.admin, self.token_file = run["link"], run["admin"], data / "admin-token"
        self.database = data / "exchange.db"
        return self.main

    def switch(self, name: str, *options: object, listen: str = "127.0.0.1:0", cpu: int | None = None) -> Switch:
        """Starts a switch and lets it join; one whose data is there comes back as what it was."""
        data = self.folder / name
        words = [self.programs["landline"], "switch", "--listen", listen, "--data", data, *options]
        if (data / "node").is_dir():
            words += ["--exchange", self.link]
        else:
            token = [self.programs["landline"], "node", "token", "--data", self.folder / "exchange"]
            made = subprocess.run(token, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
            words += ["--join", f"{made.stdout.split()[-1]}@{self.link}"]
        process = Switch(name, words, self.folder, data, cpu)
        self.add(process)
        return process

    def load(self, name: str, scenario: str, url: str, *options: object, cpu: int | None = None) -> Process:
        """Starts a load generator that reports in JSON."""
        words = [self.programs["landline-loadgen"], scenario, "--url", url, "--admin-token-file", self.token_file]
        return self.add(Process(f"load-{name}", [*words, "--json", *options], self.folder, cpu))

    def agents(self, name: str) -> list[dict]:
        """The agents of an agents file."""
        text = (self.folder / name).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def conditions(self) -> list[str]:
        """What the figures were taken under."""
        load = ["%.2f %.2f %.2f" % values for values in (self.load_before, os.getloadavg())]
        return [
            f"{machine.where()}, {self.began} UTC",
            f"{machine.answer('rustc', '--version')}, {self.profile} build of {machine.revision()}",
            f"load average before {load[0]}, after {load[1]}",
        ]


def quantile(values: list[float], share: float) -> float:
    """The value that a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def wait_until(what: str, limit_s: float, is_so, step_s: float = 0.25) -> None:
    """Waits, but not for ever."""
    limit = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > limit:
            raise Broken(f"{what}: not within {limit_s:.0f} s")
        time.sleep(step_s)


def write(cluster: Cluster, name: str, title: str, result: dict, rows: list[str]) -> None:
    """Writes docs/perf/NAME.json and docs/perf/NAME.md, or prints both for a debug build, whose figures mean nothing."""
    words = shlex.join([f"bench/{pathlib.Path(sys.argv[0]).name}", *sys.argv[1:]])
    result = {"conditions": cluster.conditions(), **result}
    page = [f"# {title}", "", *(f"- {line}" for line in result["conditions"]), "", *rows]
    page += ["", f"Taken by `{words}`; all figures in [{name}.json]({name}.json)."]
    texts = {"json": json.dumps(result, indent=1) + "\n", "md": "\n".join(page) + "\n"}
    print(texts["md"], flush=True)
    if cluster.profile != "release":
        print(texts["json"], flush=True)
        return
    for kind, text in texts.items():
        path = ROOT / "docs" / "perf" / f"{name}.{kind}"
        path.write_text(text, encoding="utf-8")
        say(f"written to {path}")
