"""The kit: where it is, what it runs on, and one run of it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BRANCH = "1.0-dev"
TRANSPORTS = "jsonrpc,http_json"
SERVER = "sut/a2a-python/sut_agent.py"

MISSING = f"""skipped: the A2A Technology Compatibility Kit is not here.
  It is the public repository a2aproject/a2a-tck, branch {BRANCH}. Clone it, and name the clone:
  A2A_TCK=/path/to/a2a-tck tests/conformance/tck/run"""


class Kit:
    """A checkout of the kit. Its files are run as they stand; nothing of it is installed or built."""

    def __init__(self, folder, commit):
        self.folder = folder
        self.commit = commit

    def run(self, prefix, base, verdicts, log):
        """Runs every test against `base`; `prefix` puts a command into its network."""
        command = [python(), "-m", "pytest", "tests/compatibility", f"--sut-host={base}", f"--transport={TRANSPORTS}"]
        command += ["-q", "--tb=short", "-p", "no:cacheprovider", "-p", "verdict_plugin"]
        environment = clean_environment(PYTHONPATH=HERE, VERDICTS=verdicts)
        with open(log, "w", encoding="utf-8") as out:
            done = subprocess.run(
                prefix(command), cwd=self.folder, env=environment, stdout=out, stderr=out, timeout=900, check=False
            )
        # 0 and 1 are "all passed" and "some failed"; anything else is a run that did not happen.
        if done.returncode not in (0, 1):
            raise SystemExit(f"the kit did not run (pytest ended with {done.returncode}): see {log}")
        return read_verdicts(verdicts)


def find(scratch):
    """The kit that A2A_TCK names, or None. A bare git directory is checked out into `scratch`."""
    named = os.environ.get("A2A_TCK", "")
    if not named:
        return None
    source = Path(named).resolve()
    folder = source
    if not (source / "tests/compatibility").is_dir():
        folder = scratch / "a2a-tck"
        output(["git", "clone", "-q", "--branch", BRANCH, source, folder])
    if not (folder / SERVER).is_file():
        raise SystemExit(f"A2A_TCK={named}: no {SERVER} there; is it branch {BRANCH}?")
    return Kit(folder, revision(folder))


def revision(folder):
    """The commit of a checkout, and whether its files are still that commit's."""
    commit = output(["git", "-C", folder, "rev-parse", "HEAD"])
    changed = output(["git", "-C", folder, "status", "--porcelain", "--untracked-files=no"])
    return commit + (" with local changes" if changed else "")


def python():
    return ROOT / "target/tck-venv/bin/python"


def prepare_python(log):
    """The environment of kit and server, made once for each state of requirements.txt."""
    wanted = (HERE / "requirements.txt").read_text(encoding="utf-8") + sys.version
    venv = ROOT / "target/tck-venv"
    marker = venv / "installed"
    if marker.is_file() and marker.read_text(encoding="utf-8") == wanted:
        return
    with open(log, "w", encoding="utf-8") as out:
        for command in (
            [sys.executable, "-m", "venv", "--clear", venv],
            [python(), "-m", "pip", "install", "--disable-pip-version-check", "-r", HERE / "requirements.txt"],
        ):
            if subprocess.run(command, stdout=out, stderr=out, timeout=900, check=False).returncode != 0:
                raise SystemExit(f"the Python environment cannot be made: see {log}")
    marker.write_text(wanted, encoding="utf-8")


def versions():
    """What the verdicts depend on, as installed."""
    names = ("a2a-sdk", "protobuf", "starlette", "uvicorn", "httpx", "pytest")
    script = "import sys, importlib.metadata as m; print(', '.join(f'{n} {m.version(n)}' for n in sys.argv[1:]))"
    return f"Python {sys.version.split()[0]}, {output([python(), '-c', script, *names])}"


def clean_environment(**more):
    """Ours without settings of the user's: no proxy, no server setting, no pytest option may reach the run."""
    foreign = re.compile(r"LANDLINE_|PYTEST_|A2A_|TCK_|SUT_|GRPC_|(https?|all|no)_proxy$", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    kept.update({name: str(value) for name, value in more.items()}, PYTHONDONTWRITEBYTECODE="1")
    return kept


def read_verdicts(path):
    """Test → its row. Every collected test must have exactly one verdict, or the run was cut."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    collected = [row["collected"] for row in rows if "collected" in row]
    found = {}
    for row in (row for row in rows if "test" in row):
        # A test that passed and then failed at taking down has two rows; the later one is the worse.
        found[row["test"]] = row
    if collected != [len(found)] or not found:
        raise SystemExit(f"{path}: {len(found)} verdicts, collected {collected}")
    return found


def output(command):
    done = subprocess.run(list(map(str, command)), text=True, capture_output=True, timeout=300, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout.strip()
