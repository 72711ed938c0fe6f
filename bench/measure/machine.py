"""Programs, processors, processes that end with the run, and the conditions that figures were taken under."""

import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("landline", "landline-loadgen", "landline-peer")
READY_LIMIT = 60
STOP_LIMIT = 10


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def answer(*command):
    """What a command prints; a page of figures is worth having without it."""
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def revision():
    """What the programs were built of. Pages of other figures change nothing that is measured."""
    changes = answer("git", "status", "--porcelain", "-uno", "--", ".", ":!docs/perf")
    return answer("git", "rev-parse", "--short", "HEAD") + (", with local changes" if changes else "")


def where():
    return f"{processor()}, {os.cpu_count()} CPUs, kernel {platform.release()}, loopback"


def load_average():
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        models = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return models[0] if models else platform.machine()


class Machine:
    """A directory for the run, the programs in it, and every process that was started."""

    def __init__(self, options):
        self.work = Path(tempfile.mkdtemp(prefix="landline-bench-"))
        self.started = []
        self.options = options
        self.load_before = load_average()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def __enter__(self):
        # So that what was started is stopped.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            self.programs()
        except BaseException:
            shutil.rmtree(self.work, ignore_errors=True)
            raise
        return self

    def __exit__(self, kind, error, trace):
        # What was started last depends on what was started first.
        for process in reversed(self.started):
            self.stop(process)
        if kind not in (None, KeyboardInterrupt):
            for log in sorted(self.work.glob("*.err")):
                ending = log.read_text(errors="replace").splitlines()[-5:]
                if ending:
                    say(f"{log.stem} ended with:\n  " + "\n  ".join(ending))
        shutil.rmtree(self.work, ignore_errors=True)

    def programs(self):
        """Copies, so that a build of someone else does not change the programs while they are measured."""
        source = self.options.programs
        if source is None:
            profile = [] if self.options.debug else ["--release"]
            # Apart: the product is measured as it is shipped, without what the peers want of crates that they share.
            for packages in (["-p", "landline", "-p", "landline-loadgen"], ["-p", "landline-bench"]):
                subprocess.run(["cargo", "build", "-q", *profile, *packages], cwd=ROOT, check=True)
            target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
            source = target / ("debug" if self.options.debug else "release")
        for name in PROGRAMS:
            shutil.copy(source / name, self.work / name)

    def program(self, name):
        return str(self.work / name)

    @staticmethod
    def processors(cores):
        """Those of a server with so many cores, and those of the load: its own, where there are enough."""
        every = sorted(os.sched_getaffinity(0))
        return every[:cores], every[cores:] or every

    def pinned(self, processors):
        return ["taskset", "-c", ",".join(map(str, processors))]

    def start(self, name, *command):
        """Starts a server and gives its process and what follows `ready` in its first line."""
        out = self.work / f"{name}.out"
        with open(out, "wb") as stdout, open(self.work / f"{name}.err", "wb") as stderr:
            process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
        self.started.append(process)
        deadline = time.monotonic() + READY_LIMIT
        while time.monotonic() < deadline and process.poll() is None:
            for line in out.read_text().splitlines():
                if line.startswith("ready "):
                    return process, line.removeprefix("ready ")
            time.sleep(0.05)
        raise RuntimeError(f"{name} did not become ready")

    def start_silent(self, name, *command):
        """Starts a server that says nothing when it is ready."""
        with open(self.work / f"{name}.err", "wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        self.started.append(process)
        return process

    def stop(self, *processes):
        """Asks, waits, insists."""
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + STOP_LIMIT
        for process in processes:
            try:
                process.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.started = [process for process in self.started if process not in processes]

    def conditions(self, options):
        build = "debug" if options.debug else "release"
        rounds = "1 round" if options.rounds == 1 else f"medians of {options.rounds} rounds"
        programs = f"{build} build of {revision()}"
        return [
            f"{where()}, {time.strftime('%F %H:%M', time.gmtime())} UTC",
            f"{answer('rustc', '--version')}, {programs if options.programs is None else 'programs that were there'}",
            f"{rounds} of {options.seconds:g} s, in turns, each with new processes; load average before "
            f"{self.load_before}, after {load_average()}",
        ]
