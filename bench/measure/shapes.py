"""Which loads, on which servers, and the goals: ratios within one run."""

from dataclasses import dataclass

# A server's name in results: what it is.
LABELS = {
    "raw": "raw TCP, no parsing (the floor)",
    "raw-2": "raw TCP, each core writes the other's sockets (the floor)",
    "switch": "**Landline**, line to line",
    "switch-silent": "**Landline** without records of calls (`--audit off`), line to line",
    "switch-http": "**Landline**, HTTP to line",
    "switch-tls": "**Landline** over TLS, line to line",
    "switch-2-across": "**Landline** on two cores, every pair across them",
    "switch-2-beside": "**Landline** on two cores, every pair on one of them",
    "tungstenite": "tokio-tungstenite, a flush for each message",
    "batched": "tokio-tungstenite, batched",
    "tungstenite-2": "tokio-tungstenite, two threads, a flush for each message",
    "batched-2": "tokio-tungstenite, two threads, batched",
    "nats": "nats-server",
    "nats-2": "nats-server on two cores",
    "direct": "an agent called directly, HTTP",
}

CPU = "server_cpu_us_per_message"


@dataclass(frozen=True)
class Shape:
    """One load on several servers. `key` is the figure that is compared."""

    name: str
    title: str
    scenario: str
    words: tuple
    servers: tuple
    key: str = CPU
    unit: str = "µs of server CPU per message"
    ours: str = "switch"
    # Run once, after the rounds, on servers that carried nothing before.
    alone: bool = False


def calls(pairs, in_flight, size=128):
    return ("--pairs", str(pairs), "--in-flight", str(in_flight), "--size", str(size))


PEERS = ("tungstenite", "batched", "nats")
ON_TWO = ("tungstenite-2", "batched-2", "nats-2")

SHAPES = (
    Shape("lock-step", "64 pairs, 1 call in flight each, 128 B", "calls", calls(64, 1),
          ("raw", "switch", "switch-silent", "switch-http", "switch-tls", *PEERS)),
    Shape("in-flight", "16 pairs, 16 calls in flight each, 128 B", "calls", calls(16, 16),
          ("raw", "switch", "switch-silent", "switch-http", "switch-tls", *PEERS)),
    Shape("one-way", "16 pairs, 64 messages of 128 B on their way each, one direction", "oneway", calls(16, 64),
          ("switch", *PEERS)),
    Shape("stream", "16 pairs, 1 answer of 64 parts of 256 B on its way each", "stream",
          ("--pairs", "16", "--in-flight", "1", "--parts", "64", "--size", "256"), ("switch", "nats")),
    Shape("mixed", "64 pairs, 4 calls in flight each: 80 of 100 with 128 B, 12 with 4 KiB, 3 with 64 KiB, 5 answered in 20 "
          "parts; 200 idle lines beside", "mixed", (*calls(64, 4), "--lines", "200"), ("switch", "nats")),
    Shape("large", "16 pairs, 16 calls in flight each, 16 KiB", "calls", calls(16, 16, 16 << 10),
          ("raw", "switch", "switch-tls", *PEERS)),
    Shape("across", "two cores: 64 pairs, 1 call in flight each, 128 B", "calls", calls(64, 1),
          ("raw-2", "switch-2-across", "switch-2-beside", *ON_TWO), ours="switch-2-across"),
    Shape("across-in-flight", "two cores: 16 pairs, 16 calls in flight each, 128 B", "calls", calls(16, 16),
          ("raw-2", "switch-2-across", "switch-2-beside", *ON_TWO), ours="switch-2-across"),
    Shape("one", "one pair, 1 call in flight, 128 B: what the relay adds", "calls", calls(1, 1),
          ("direct", "switch-http", "switch"), key="p50_us", unit="µs from call to answer, p50", ours="switch-http"),
    Shape("attach", "lines that are cut and dial again at once", "storm", (), ("switch", "switch-tls", "nats"),
          key="server_cpu_us_per_line", unit="µs of server CPU per line, its end and its attach"),
    Shape("idle", "idle lines", "idle", (), ("switch", "switch-tls", "tungstenite", "nats"), key="bytes_per_line",
          unit="bytes of resident memory per line", alone=True),
)


@dataclass(frozen=True)
class Goal:
    """`figure` of `server` by that of `beside` (or as it is) is to be at most, or at least, `bound`."""

    row: str
    shape: str
    server: str
    beside: str | None
    bound: float
    key: str = CPU
    how: str = "ratio"
    at_least: bool = False
    unit: str = ""


def ratios(row, shape, server, bounds, key=CPU):
    return [Goal(row, shape, server, beside, bound, key) for beside, bound in bounds]


GOALS = (
    *ratios("lock-step, CPU per message", "lock-step", "switch", [("raw", 1.15), ("nats", 0.55), ("tungstenite", 0.65)]),
    *ratios("16 in flight, CPU per message", "in-flight", "switch", [("raw", 1.25), ("nats", 0.45), ("batched", 0.60)]),
    *ratios("records of calls, lock-step", "lock-step", "switch", [("switch-silent", 1.05)]),
    *ratios("records of calls, 16 in flight", "in-flight", "switch", [("switch-silent", 1.05)]),
    *ratios("16 KiB bodies", "large", "switch", [("raw", 1.5), ("nats", 0.50)]),
    *ratios("across cores, lock-step", "across", "switch-2-across", [("raw-2", 1.10), ("tungstenite-2", 0.80)]),
    *ratios("across cores, 16 in flight", "across-in-flight", "switch-2-across", [("switch-2-beside", 1.2)]),
    *ratios("HTTP call → agent → answer, lock-step", "lock-step", "switch-http", [("switch", 1.10), ("nats", 0.50)]),
    *ratios("HTTP call → agent → answer, 16 in flight", "in-flight", "switch-http", [("switch", 1.10), ("nats", 0.50)]),
    Goal("HTTP call, p50 added, one in flight", "one", "switch-http", "direct", 100, "p50_us", "difference", unit=" µs"),
    *ratios("TLS, lock-step", "lock-step", "switch-tls", [("switch", 1.15)]),
    *ratios("TLS, 16 in flight", "in-flight", "switch-tls", [("switch", 1.25)]),
    *ratios("TLS, 16 KiB", "large", "switch-tls", [("switch", 1.35)]),
    Goal("TLS, attaches per second and core", "attach", "switch-tls", None, 6_500, "attaches_per_core_s", "value", True),
    Goal("idle line, resident memory", "idle", "switch", None, 1536, "bytes_per_line", "value", unit=" B"),
    Goal("idle line over TLS, resident memory", "idle", "switch-tls", None, 6144, "bytes_per_line", "value", unit=" B"),
    Goal("idle line, CPU per heartbeat", "idle", "switch", None, 12, "cpu_us_per_heartbeat", "value", unit=" µs"),
)
