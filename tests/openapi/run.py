"""Runs schemathesis against a real relay: `run.py [FLAG...]`; flags are those of `schemathesis run`.

First the document's own examples are held against its schemas.

A relay of its own is started on loopback, with rate limits off, and an agent that answers every call. `LANDLINE_BIN` is
the program under test. The interpreter is that of the venv with schemathesis in it.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import jsonschema_rs

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from program import READY_S, Program  # noqa: E402: it is beside this folder

BINARY = os.environ.get("LANDLINE_BIN") or str(ROOT / "target/debug/landline")


def ask(url, body=None, credential=None):
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {credential}"} if credential else {})
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers), timeout=10) as answer:
        return json.load(answer)


def until(what, look):
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise RuntimeError(f"waited in vain for {what}")


def open_stage(exits, folder):
    """Starts relay and agent; gives the relay's URL, and what the hooks and the configuration need to know."""
    relay = Program(
        BINARY, "up", "--listen", "127.0.0.1:0", "--data", folder / "data", "--rate-limits", "off", folder=folder
    )
    exits.callback(relay.stop)
    [url] = relay.words("ready")
    api = f"{url}/connect"
    identity = folder / "echo.json"
    echo = Program(BINARY, "agent", "echo", "--name", "echo", "--identity", identity, "--url", url, folder=folder)
    exits.callback(echo.stop)
    until("the agent's identity", identity.exists)
    echo_id = json.loads(identity.read_text())["id"]
    until("the agent's line", lambda: ask(f"{api}/v1/agents/{echo_id}")["attached"])
    card = {"name": "caller", "description": "It makes the requests of this run."}
    caller = ask(f"{api}/v1/agents", {"card": card})
    admin = (folder / "data/admin-token").read_text().strip()
    [node] = ask(f"{api}/v1/admin/nodes", credential=admin)["items"]
    return url, {
        "OPENAPI_API": api,
        "OPENAPI_ID": caller["id"],
        "OPENAPI_KEY": caller["api_key"],
        "OPENAPI_TOKEN": ask(f"{api}/v1/auth/token", {}, caller["api_key"])["token"],
        "OPENAPI_ADMIN": admin,
        "OPENAPI_ECHO_ID": echo_id,
        "OPENAPI_NODE": node["node_id"],
        "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"),
    }


def described(document):
    """Everything with a schema and examples: a name for it, its schema, and each example."""
    contents = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            name = f"{method} {path}"
            for parameter in operation["parameters"]:
                contents.append((f"{name}: {parameter['name']}", parameter))
            answers = [*operation["responses"].values(), operation.get("requestBody", {})]
            contents += [(name, content) for answer in answers for content in answer.get("content", {}).values()]
    for name, answer in document["components"]["responses"].items():
        contents += [(name, content) for content in answer["content"].values()]
    for name, content in contents:
        examples = [example["value"] for example in content.get("examples", {}).values()]
        for example in [*examples, *([content["example"]] if "example" in content else [])]:
            if "schema" in content:
                yield name, content["schema"], example


def check_examples(document):
    """Every example must be one of what it is an example of."""
    count, wrong = 0, []
    for name, schema, example in described(document):
        validator = jsonschema_rs.Draft202012Validator(
            schema | {"components": document["components"]}, validate_formats=True
        )
        count += 1
        wrong += [f"{name}: {error.message} at {error.instance_path}" for error in validator.iter_errors(example)]
    if wrong or count < 100:
        raise RuntimeError(f"{count} examples, of which do not hold:\n" + "\n".join(wrong))
    print(f"{count} examples hold")


def main():
    schemathesis = pathlib.Path(sys.executable).parent / "schemathesis"
    with contextlib.ExitStack() as exits:
        folder = pathlib.Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="landline-openapi-")))
        url, found = open_stage(exits, folder)
        check_examples(ask(f"{url}/openapi.json"))
        command = [schemathesis, "--config-file", HERE / "schemathesis.toml", "run", f"{url}/openapi.json", *sys.argv[1:]]
        return subprocess.run(command, cwd=folder, env={**os.environ, **found}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
