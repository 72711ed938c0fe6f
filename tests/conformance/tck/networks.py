"""A server behind NAT and a world outside, made of network namespaces of our own.

    outside 198.18.0.1 ── 198.18.0.2 [router: masquerade, drop what is unasked] 192.168.51.1 ── 192.168.51.2 behind

Nothing touches the machine's own network, so runs beside each other do not meet. 198.18.0.0/15 is reserved for tests of
networks (RFC 2544). Needs root, `ip` and `nft`.
"""

import os
import re
import subprocess

OUTSIDE = "198.18.0.1"
ROUTER = "198.18.0.2"
BEHIND = "192.168.51.2"
LOOPBACK = "127.0.0.1"

LINKS = """
for name in behind router outside; do ip netns add $TAG-$name; ip -n $TAG-$name link set lo up; done
ip -n $TAG-router link add name outer type veth peer name eth0 netns $TAG-outside
ip -n $TAG-router link add name inner type veth peer name eth0 netns $TAG-behind
ip -n $TAG-router addr add 198.18.0.2/24 dev outer
ip -n $TAG-router addr add 192.168.51.1/24 dev inner
ip -n $TAG-outside addr add 198.18.0.1/24 dev eth0
ip -n $TAG-behind addr add 192.168.51.2/24 dev eth0
ip -n $TAG-router link set outer up
ip -n $TAG-router link set inner up
ip -n $TAG-outside link set eth0 up
ip -n $TAG-behind link set eth0 up
ip -n $TAG-behind route add default via 192.168.51.1
# The world knows the way, so that only the router's rules keep it out.
ip -n $TAG-outside route add 192.168.51.0/24 via 198.18.0.2
ip netns exec $TAG-router sysctl -qw net.ipv4.ip_forward=1
"""

RULES = """
table ip nat {
  chain out { type nat hook postrouting priority 100; oifname "outer" masquerade; }
}
table inet filter {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "inner" oifname "outer" accept
  }
  chain input { type filter hook input priority 0; policy drop; ct state established,related accept; }
}
"""

CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3)"


class Networks:
    """The three namespaces; gone at the end of the `with` block."""

    def __init__(self):
        self.tag = f"lltck{os.getpid()}"

    def __enter__(self):
        sweep()
        try:
            environment = dict(os.environ, TAG=self.tag)
            checked(["sh", "-euc", LINKS], env=environment)
            checked(["ip", "netns", "exec", f"{self.tag}-router", "nft", "-f", "-"], input=RULES)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in ("behind", "router", "outside"):
            remove(f"{self.tag}-{name}")

    def inside(self, name, command):
        """The command line that runs `command` in a namespace; its process id is the command's own."""
        return ["ip", "netns", "exec", f"{self.tag}-{name}", *map(str, command)]

    def reaches(self, name, python, address, port):
        """Whether a TCP connection from that namespace succeeds."""
        command = self.inside(name, [python, "-c", CONNECT, address, port])
        return subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60, check=False).returncode == 0


def checked(command, **options):
    done = subprocess.run(command, text=True, capture_output=True, timeout=60, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"the networks need root, `ip` and `nft`: {done.stderr.strip()}")


def remove(name):
    subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, timeout=60, check=False)


def sweep():
    """A run that was killed could not take its namespaces down."""
    listed = subprocess.run(["ip", "netns", "list"], text=True, capture_output=True, timeout=60, check=False).stdout
    for name, pid in re.findall(r"^(lltck(\d+)-\w+)", listed, re.MULTILINE):
        if not os.path.exists(f"/proc/{pid}"):
            remove(name)
