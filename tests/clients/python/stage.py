"""A real relay with real agents behind it, for as long as one command runs.

    stage.py [--scheme http|https] COMMAND...

The command finds in its environment where the agents are, and nothing else:

| variable                     | what it is |
|------------------------------|------------|
| `STAGE_PUBLIC`               | relay address of an agent of A2A 1.0 that anybody may call |
| `STAGE_PUBLIC_V03`           | the same, of A2A 0.3 |
| `STAGE_PRIVATE`              | relay address of an agent of A2A 1.0 that wants a credential |
| `STAGE_KEY`                  | an API key that it takes |
| `STAGE_DIALLED`              | local port of `landline dial` behind which that agent answers |
| `STAGE_URL`                  | the relay itself: the exchange is an A2A agent that finds the others |
| `STAGE_CA`                   | over https: the CA that the relay's certificate is from |

`LANDLINE_BIN` is the program under test. `STAGE_PYTHON` and `STAGE_PYTHON_V03` are the interpreters with the SDKs of
either version. Only the standard library is used here, so any interpreter runs this file.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from program import READY_S, Program  # noqa: E402: it is beside this folder

BINARY = os.environ.get("LANDLINE_BIN") or str(ROOT / "target/debug/landline")
PYTHON = os.environ.get("STAGE_PYTHON") or str(ROOT / "target/clients-venv/bin/python")
PYTHON_V03 = os.environ.get("STAGE_PYTHON_V03") or str(ROOT / "target/clients-venv-0.3/bin/python")


def certificate(folder):
    """A CA and a certificate for 127.0.0.1 by it, as a user would make them."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    for name, extensions in {
        "ca": ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"],
        "relay": ["basicConstraints=critical,CA:FALSE", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
    }.items():
        command = ["openssl", "req", "-x509", *key, "-subj", f"/CN=landline test {name}"]
        command += ["-keyout", f"{name}.key", "-out", f"{name}.pem"]
        command += [word for extension in extensions for word in ("-addext", extension)]
        if name != "ca":
            command += ["-CA", "ca.pem", "-CAkey", "ca.key"]
        # A configuration of its own: distributions' openssl.cnf add extensions of theirs.
        (folder / "openssl.cnf").write_text("[req]\ndistinguished_name = name\n[name]\n")
        made = subprocess.run([*command, "-config", "openssl.cnf"], cwd=folder, capture_output=True, text=True)
        if made.returncode != 0:
            raise RuntimeError(f"openssl: {made.stderr}")
    return folder / "ca.pem"


class Stage:
    """Everything that runs; `close` ends it, the last started first."""

    def __init__(self, scheme):
        self.scheme = scheme
        self.exits = contextlib.ExitStack()
        self.folder = pathlib.Path(self.exits.enter_context(tempfile.TemporaryDirectory(prefix="landline-clients-")))
        self.trust = {}

    def start(self, *command, env=()):
        program = Program(*command, folder=self.folder, env=env)
        self.exits.callback(program.stop)
        return program

    def relay(self):
        options = []
        if self.scheme == "https":
            self.trust = {"LANDLINE_CA": str(certificate(self.folder))}
            options = ["--tls-cert", self.folder / "relay.pem", "--tls-key", self.folder / "relay.key"]
        data = self.folder / "data"
        return self.start(BINARY, "up", "--listen", "127.0.0.1:0", "--data", data, "--rate-limits", "off", *options)

    def expose(self, target, name, *options):
        identity = self.folder / f"{name}.json"
        return self.start(
            BINARY, "expose", target, "--url", self.url, "--identity", identity, "--name", name, *options, env=self.trust
        )

    def dial(self, agent):
        identity = self.folder / "dial.json"
        return self.start(
            BINARY, "dial", agent, "--url", self.url, "--identity", identity, "--listen", "127.0.0.1:0", env=self.trust
        )

    def open(self):
        """Starts all of it and gives the environment of the command."""
        relay = self.relay()
        agent = self.start(PYTHON, HERE / "agent_v1.py")
        agent_v03 = self.start(PYTHON_V03, HERE / "agent_v03.py")
        [self.url] = relay.words("ready")
        if not self.url.startswith(f"{self.scheme}://"):
            raise RuntimeError(f"the relay is at {self.url}, not at {self.scheme}")
        [target] = agent.words("ready")
        [target_v03] = agent_v03.words("ready")
        for url in target, target_v03:
            # `expose` asks for the card once and waits 5 s; the first answer of a cold agent may take longer.
            with urllib.request.urlopen(f"{url}/.well-known/agent-card.json", timeout=READY_S) as answer:
                answer.read()
        exposed = [
            self.expose(target, "public", "--public"),
            self.expose(target_v03, "public-v03", "--public"),
            self.expose(target, "private"),
        ]
        public, public_v03, private = (program.words("exposed") for program in exposed)
        [dialled] = self.dial(private[0]).words("ready")
        found = {
            "STAGE_PUBLIC": public[1],
            "STAGE_PUBLIC_V03": public_v03[1],
            "STAGE_PRIVATE": private[1],
            "STAGE_KEY": json.loads((self.folder / "dial.json").read_text())["api_key"],
            "STAGE_DIALLED": dialled,
            "STAGE_URL": self.url,
        }
        if self.trust:
            # Node takes further CAs from its environment only, and only when it starts.
            found |= {"STAGE_CA": self.trust["LANDLINE_CA"], "NODE_EXTRA_CA_CERTS": self.trust["LANDLINE_CA"]}
        return found

    def close(self):
        self.exits.close()


def main():
    parser = argparse.ArgumentParser(usage="stage.py [--scheme http|https] COMMAND...")
    parser.add_argument("--scheme", choices=["http", "https"], default="http")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if not arguments.command:
        parser.error("which command?")
    # So that what was started is stopped then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    stage = Stage(arguments.scheme)
    try:
        found = stage.open()
        with subprocess.Popen(arguments.command, env={**os.environ, **found}) as command:
            try:
                return command.wait()
            except BaseException:
                # Asked, not killed: the command may have children of its own to stop.
                command.terminate()
                raise
    finally:
        stage.close()


if __name__ == "__main__":
    sys.exit(main())
