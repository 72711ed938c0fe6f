"""What schemathesis cannot know: which key belongs to which agent, and what the run itself stands on.

An operation of an owner needs the key of the agent in the path. So the keys of all agents that a run registers are kept,
and each request gets the one that fits; where a token is as good as a key, every second one shows a token.

Where a request would take away what all the others need (the agent whose key they show, the one that answers calls, the
switch between them), it gets a victim of its own instead.
"""

import itertools
import json
import os
import urllib.request
import uuid

import schemathesis

API = os.environ["OPENAPI_API"]
DEFAULT = f"Bearer {os.environ['OPENAPI_KEY']}"
PROTECTED = {os.environ["OPENAPI_ID"], os.environ["OPENAPI_ECHO_ID"]}
DESTROYS = {"removeAgent", "rotateKey", "blockAgent"}
ENDS_A_SWITCH = {"revokeNode", "drainNode"}

keys = {}
turns = itertools.count()


def register():
    """A new agent: its id. Its key is kept."""
    card = {"name": f"victim {uuid.uuid4().hex[:12]}", "description": "It is there to be removed."}
    request = urllib.request.Request(
        f"{API}/v1/agents",
        data=json.dumps({"card": card}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        registered = json.load(answer)
    keys[registered["id"]] = registered["api_key"]
    return registered["id"]


def token():
    """A token of the run's own agent. A new one each time: some request of the run revokes all of them."""
    request = urllib.request.Request(f"{API}/v1/auth/token", data=b"", headers={"authorization": DEFAULT})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["token"]


def name_of(case):
    return case.operation.definition.raw.get("operationId")


def hang_up(response, *_, **__):
    """A connection that became a WebSocket takes no further request."""
    if response.status_code == 101:
        response.raw.close()


@schemathesis.hook
def before_call(context, case, kwargs):
    if name_of(case) == "attach":
        kwargs["hooks"] = {"response": hang_up}
    path = case.path_parameters or {}
    agent = path.get("agent_id")
    if name_of(case) in DESTROYS and agent in PROTECTED:
        agent = path["agent_id"] = register()
    if name_of(case) in ENDS_A_SWITCH and path.get("node_id") == os.environ["OPENAPI_NODE"]:
        path["node_id"] = str(uuid.uuid4())
    if case.headers is None or case.headers.get("Authorization") != DEFAULT:
        return
    if agent in keys:
        case.headers["Authorization"] = f"Bearer {keys[agent]}"
    elif {"token": []} in case.operation.definition.raw["security"] and next(turns) % 2:
        case.headers["Authorization"] = f"Bearer {token()}"


@schemathesis.hook
def after_call(context, case, response):
    name = name_of(case)
    if name == "registerAgent" and response.status_code == 201:
        registered = response.json()
        keys[registered["id"]] = registered["api_key"]
    elif name == "removeAgent" and response.status_code == 204:
        keys.pop(case.path_parameters["agent_id"], None)
    elif name == "rotateKey" and response.status_code == 200:
        keys[case.path_parameters["agent_id"]] = response.json()["api_key"]
