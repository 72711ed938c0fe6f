"""Where a server's CPU time goes: samples of `perf record`, by thread and by what the code belongs to."""

import argparse
import collections
import signal
import subprocess
import time

from .machine import say
from .rounds import Stage, words
from .shapes import LABELS, SHAPES

# Load and server of each row: those that goals are about, and the floors beside them.
ROWS = (
    ("lock-step", "raw"), ("lock-step", "switch"), ("lock-step", "switch-http"), ("lock-step", "switch-tls"),
    ("lock-step", "tungstenite"),
    ("in-flight", "raw"), ("in-flight", "switch"), ("in-flight", "switch-http"), ("in-flight", "switch-tls"),
    ("in-flight", "batched"),
    ("large", "raw"), ("large", "switch"), ("large", "switch-tls"),
    ("across", "raw-2"), ("across", "switch-2-across"),
    ("across-in-flight", "switch-2-across"), ("across-in-flight", "switch-2-beside"),
    ("attach", "switch"), ("attach", "switch-tls"),
    ("idle", "switch"), ("idle", "switch-tls"),
)
HERTZ = 1_999
# Lines of the idle load are all up for so many seconds before the samples begin, and hold on for so many after them.
SETTLED, MARGIN = 5, 8
ALL_UP_LIMIT = 120
# Threads of a switch beside its cores.
BESIDE = ("spool", "spool-sync", "uplink")
# What a function belongs to, by how its name begins behind what is generic about it.
CRYPTO = ("aws_lc", "rustls", "sha256", "gcm_", "ecp_", "bn_", "p256", "_aesni", "aes_", "ChaCha", "x25519", "fiat_", "beeu_")
DRIVER = ("monoio", "io_uring", "mio", "tokio")
# The allocator's; some of its inner functions have plain names.
ALLOCATOR = ("_rjem", "tcache_", "arena_", "extent_", "pac_", "te_event", "cache_bin_", "do_rallocx", "free_fastpath")
PARTS = ("kernel", "own", "driver", "crypto", "libc", "beside")
HEADS = ("kernel", "own code", "runtime and driver", "TLS", "libc and allocator", "records and link, beside the cores")


def part_of(comm, dso, symbol):
    """Which column a sample belongs to."""
    if comm in BESIDE:
        return "beside"
    if dso.startswith("[") and dso != "[vdso]":
        return "kernel"
    if dso == "[vdso]" or "libc.so" in dso or "ld-linux" in dso or "libgcc" in dso:
        return "libc"
    name = symbol.lstrip("<&*( ").removeprefix("mut ")
    if name.startswith(ALLOCATOR):
        return "libc"
    if any(word in name for word in CRYPTO):
        return "crypto"
    return "driver" if name.startswith(DRIVER) else "own"


def samples(text):
    """`perf script -F comm,ip,sym,dso`, a sample a line: who ran, where. What has no name is counted as that."""
    for line in text.splitlines():
        # `core-0  ffff8123 __schedule ([kernel.kallsyms])`; a command's name may have blanks.
        front, _, dso = line.rpartition(" (")
        words_of = front.split()
        at = next((at for at, word in enumerate(words_of) if at and all(c in "0123456789abcdef" for c in word)), None)
        if dso and at is not None:
            yield " ".join(words_of[:at]), dso.rstrip(")").rsplit("/", 1)[-1], " ".join(words_of[at + 1:]) or "?"


def short(symbol):
    """A name without hash, offset and generic arguments, as far as it can be read."""
    plain, depth = [], 0
    for character in symbol.split("+0x")[0].replace("{{closure}}", "…"):
        depth += (character == "<") - (character == ">")
        if depth == 0 and character != ">":
            plain.append(character)
    text = "".join(plain).replace("::::", "::").strip(":") or symbol
    return text if len(text) <= 60 else "…" + text[-59:]


class Profile:
    """One row's samples."""

    def __init__(self, text):
        self.parts, self.functions, self.total = collections.Counter(), collections.Counter(), 0
        for comm, dso, symbol in samples(text):
            part = part_of(comm, dso, symbol)
            self.parts[part] += 1
            if part not in ("kernel", "beside"):
                self.functions[short(symbol)] += 1
            self.total += 1

    def share(self, part):
        return self.parts[part] / max(1, self.total)

    def largest(self, count=6):
        """The functions outside the kernel that take most."""
        return [(name, number / max(1, self.total)) for name, number in self.functions.most_common(count)]


def take(here, stage, shape, name, options):
    """Loads a server, and samples it meanwhile."""
    server = stage.restart(name) if shape.alone else stage.server(name)
    scenario, *where = server.words(shape.scenario)
    say(f"{shape.name}: {name}")

    def load(seconds):
        told = words(shape, name, argparse.Namespace(**{**vars(options), "seconds": seconds}))
        command = [*here.pinned(server.load_processors), here.program("landline-loadgen"), scenario, *where, *told, "--json"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    # Agents are registered before: that is another load.
    if not shape.alone:
        load(0.2).wait()
        server.settle()
    data = here.work / "perf.data"
    record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(HERTZ), "-p", str(server.process.pid), "-o", str(data)]
    # The load goes on a little before and after what is sampled.
    running = load(options.seconds + 2)
    if shape.scenario == "idle":
        wait_for_lines(server, options.lines)
    time.sleep({"storm": 0, "idle": SETTLED}.get(shape.scenario, 1))
    sampled = {"storm": 120, "idle": options.hold - SETTLED - MARGIN}.get(shape.scenario, options.seconds)
    perf = subprocess.Popen([*record, "--", "sleep", str(sampled)])
    if shape.scenario == "storm":
        running.wait()
        perf.send_signal(signal.SIGINT)
    perf.wait()
    running.wait()
    server.settle()
    script = ["perf", "script", "-i", str(data), "-F", "comm,ip,sym,dso"]
    text = subprocess.run(script, capture_output=True, text=True, errors="replace", check=True).stdout
    if shape.alone:
        stage.up.pop(name).stop()
    return Profile(text)


def wait_for_lines(server, count):
    deadline = time.monotonic() + ALL_UP_LIMIT
    while server.gauge("landline_lines") < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{count} lines were not up after {ALL_UP_LIMIT} s")
        time.sleep(0.2)


def run(here, options):
    stage, taken = Stage(here), []
    by_name = {shape.name: shape for shape in SHAPES}
    for shape, server in ROWS:
        if not options.only or shape in options.only:
            taken.append((by_name[shape], server, take(here, stage, by_name[shape], server, options)))
    return taken


def page(taken, conditions):
    lines = ["# Where the CPU time goes", "", *(f"- {line}" for line in conditions),
             f"- `perf record -e cpu-clock -F {HERTZ}` on the server's process while `landline-loadgen` drives it as in "
             "`bench/run`: shares of the process's own time, not of the machine's",
             "- attaches include the lines' first dial; idle lines are sampled when all of them are up", "",
             "| load | server | samples | " + " | ".join(HEADS) + " |", "|---|---|---|" + "---|" * len(PARTS)]
    for shape, server, profile in taken:
        shares = " | ".join(f"{profile.share(part):.0%}" for part in PARTS)
        lines.append(f"| {shape.title} | {LABELS[server]} | {profile.total:,} | {shares} |")
    lines += ["", "The functions outside the kernel that take most, of the whole:", "",
              "| load | server | |", "|---|---|---|"]
    for shape, server, profile in taken:
        largest = ", ".join(f"`{name}` {share:.1%}" for name, share in profile.largest())
        lines.append(f"| {shape.title} | {LABELS[server]} | {largest} |")
    lines += ["", "Taken by `bench/profile`; what is read out of it is in [README.md](README.md).", ""]
    return "\n".join(lines)
