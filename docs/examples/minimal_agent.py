"""A whole Landline agent in one file: it dials out, holds one line, and answers calls.

Run it anywhere that can reach the relay. It listens on no port, so it works behind NAT, in a container without
published ports, or on a laptop in a cafe:

    pip install msgspec httpx httpx-ws
    LANDLINE_URL=http://127.0.0.1:7300 BOT_NAME=alice python minimal_agent.py

What happens, in order:

1. `register` gives the directory an Agent Card and gets an id and an API key, once. Both are kept in the system's
   temporary folder as `<name>.json`, readable by you alone, and found again at the next start.
2. `Line.hold` dials `/connect/ws/agent`, a WebSocket. The first frame out is `auth`; the relay answers `ready`. From
   then on anyone who may call this agent reaches it with `POST /connect/relay/<id>`.
3. Each call arrives as a `request` frame and is given to `handle`, the one function to replace with your own. What it
   returns goes back as a `response` frame with the same id. Calls are handled side by side, in threads.
4. If the line is lost the agent dials again, after the time that the relay named, or else after a random pause that
   grows from 0.5 to 30 seconds. Some close codes mean that dialling again is useless until a person acts; then the agent
   says what to do and ends.

Every frame is one binary WebSocket message that holds one MessagePack map. The complete contract is in
`docs/RELAY_WIRE_PROTOCOL.md`, served by every relay under `/docs/RELAY_WIRE_PROTOCOL`.

Settings are environment variables: LANDLINE_URL (the relay), BOT_NAME (the beginning of the agent's name), LOG_LEVEL
(DEBUG, INFO, WARNING, ...), and LANDLINE_REGISTRATION_TOKEN, needed only where registration is not open to everyone.
"""

import asyncio
import contextlib
import itertools
import json
import logging
import os
import random
import re
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path

import httpx
import msgspec
from httpx_ws import WebSocketDisconnect, WebSocketNetworkError, aconnect_ws

# A relay that serves this file writes its own address here.
DEFAULT_URL = "http://127.0.0.1:7300"
DEFAULT_PREFIX = "/connect"

URL = (os.environ.get("LANDLINE_URL") or DEFAULT_URL).rstrip("/")
API = URL + DEFAULT_PREFIX
BOT_NAME = os.environ.get("BOT_NAME") or "agent"
CLIENT = "minimal-agent.py/1"

AUTH_TIMEOUT_S = 10.0  # the relay gives us as long to authenticate
FINISH_TIMEOUT_S = 5.0  # at the end, for answers that are still being made
REDIAL_S = (0.5, 30.0)
STEADY_S = 10.0  # a line that lived this long was a good one: the next pause starts small again

# After these close codes the same agent with the same key would be closed again.
NO_REDIAL = {
    4000: "another process dialled in as this agent and took the line; stop one of the two",
    4003: "the relay refused the API key: the agent was deleted, or its key was rotated, or the file is from another"
    " relay; remove {path} and start again to register a new agent",
    4010: "this agent was blocked; ask the relay's operator",
    4403: "the relay does not accept this Origin",
}

log = logging.getLogger("agent")


class Request(msgspec.Struct, kw_only=True):
    """One call. `caller` is the calling agent's id, or None if it is anonymous."""

    id: int
    body: bytes = b""
    caller: str | None = msgspec.field(default=None, name="from")
    request_id: str = ""
    method: str | None = None  # the A2A method, if the caller named one
    verb: str = "POST"
    path: str = ""  # what followed /relay/<id> in the caller's URL, query included
    headers: dict[str, str] = {}
    deadline_ms: int | None = None  # how long the caller waits, from now


class Response(msgspec.Struct, kw_only=True):
    """An answer. The caller gets this status, these headers (an allow-list of them) and exactly these bytes."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = msgspec.field(default_factory=lambda: {"content-type": "application/json"})


def handle(request: Request) -> Response:
    """Answers one call. Replace this with your agent. It runs in a thread, so it may block; several run at once."""
    text = request.body.decode("utf-8", "replace")
    return Response(body=json.dumps({"ack": True, "echo": text}).encode())


class Frame(msgspec.Struct):
    """What we need of any frame before we know its type; keys that we do not know are skipped."""

    type: str
    id: int | None = None
    t: object = None
    code: str | None = None
    detail: str | None = None
    agent_id: str = ""
    redial_after_ms: int = 0


class Identity(msgspec.Struct):
    """Who we are at the relay. The key is a secret: only its first 8 characters are ever shown."""

    id: str
    api_key: str
    path: Path


class Refused(Exception):
    """Registration was refused for good; the text says why."""


def load_identity() -> Identity | None:
    """The newest identity of an agent of our name, from an earlier run."""
    pattern = re.compile(re.escape(BOT_NAME) + r"-[0-9a-f]{6}")
    found = [p for p in Path(tempfile.gettempdir()).glob(f"{BOT_NAME}-*.json") if pattern.fullmatch(p.stem)]
    for path in sorted(found, key=lambda p: p.lstat().st_mtime, reverse=True):
        facts = path.lstat()
        # Everyone may write into a temporary folder: believe only a regular file that is ours and ours alone.
        if path.is_symlink() or (hasattr(os, "getuid") and (facts.st_uid != os.getuid() or facts.st_mode & 0o077)):
            log.warning("ignoring %s: it is not a private file of this user", path)
            continue
        try:
            kept = json.loads(path.read_text())
            return Identity(id=kept["id"], api_key=kept["api_key"], path=path)
        except (OSError, ValueError, KeyError, TypeError):
            log.warning("ignoring %s: it holds no id and api_key", path)
    return None


def save_identity(name: str, agent_id: str, api_key: str) -> Identity:
    """Keeps the identity where only this user can read it, from the first byte on."""
    path = Path(tempfile.gettempdir()) / f"{name}.json"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"id": agent_id, "api_key": api_key}, file)
    return Identity(id=agent_id, api_key=api_key, path=path)


async def register(http: httpx.AsyncClient) -> Identity:
    """Enters the directory under BOT_NAME and a random suffix; the API key is shown by the relay only this once."""
    token = os.environ.get("LANDLINE_REGISTRATION_TOKEN")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    for attempt in itertools.count():
        name = f"{BOT_NAME}-{secrets.token_hex(3)}"
        card = {
            "name": name,
            "description": "The reference agent: it answers every call with what the call said.",
            "version": "1.0.0",
            "capabilities": {"streaming": False, "push_notifications": False},
            "skills": [{"id": "echo", "name": "Echo", "description": "Gives the body back.", "tags": ["echo"]}],
        }
        try:
            answer = await http.post(f"{API}/v1/agents", json={"card": card}, headers=headers)
        except httpx.TransportError as error:
            log.warning("the relay at %s cannot be reached: %s", URL, describe(error))
            await asyncio.sleep(pause(attempt))
            continue
        if answer.status_code == 201:
            made = answer.json()
            return save_identity(name, made["id"], made["api_key"])
        problem = read_problem(answer)
        if problem.get("code") == "name_taken":
            continue
        if not problem.get("retryable"):
            raise Refused(f"registration failed: {answer.status_code} {problem.get('detail') or answer.reason_phrase}")
        log.warning("registration has to wait: %s", problem.get("detail"))
        await asyncio.sleep(problem.get("retry_after_seconds") or pause(attempt))


def read_problem(answer: httpx.Response) -> dict:
    """The members of an RFC 9457 problem document; a gateway's plain 5xx counts as one that may pass."""
    with contextlib.suppress(ValueError):
        if isinstance(problem := answer.json(), dict) and "code" in problem:
            return problem
    return {"retryable": answer.status_code >= 500 or answer.status_code == 429}


class Line:
    """One WebSocket to the relay, from dialling to its end."""

    def __init__(self, http: httpx.AsyncClient, me: Identity):
        self.http, self.me, self.ws = http, me, None
        self.calls: dict[int, asyncio.Task] = {}
        self.draining: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.ready_at: float | None = None

    async def hold(self) -> tuple[int | None, str]:
        """Dials, authenticates and serves until the line ends; gives the close code, if there was one, and why.
        Cancelled, it lets the answers that are being made go out and closes with 1000."""
        try:
            async with aconnect_ws(re.sub("^http", "ws", API) + "/ws/agent", self.http) as self.ws:
                # What leaves this block as an exception would arrive wrapped in a group: make it a result here.
                try:
                    await self.converse()
                except WebSocketDisconnect as end:
                    return end.code, end.reason or "closed by the relay"
                except (WebSocketNetworkError, TimeoutError) as error:
                    return None, describe(error)
                except asyncio.CancelledError:
                    if self.calls:
                        await asyncio.wait(self.calls.values(), timeout=FINISH_TIMEOUT_S)
                    raise
                finally:
                    for call in self.calls.values():
                        call.cancel()
        except Exception as error:  # dialling or closing failed: one more reason to dial again
            return None, describe(error)

    async def converse(self) -> None:
        """Authenticates, then reads frame after frame. Ends with the line."""
        await self.send({"type": "auth", "v": 1, "token": self.me.api_key, "client": CLIENT})
        async with asyncio.timeout(AUTH_TIMEOUT_S):
            while not self.ready_at:
                await self.on_message(await self.ws.receive_bytes())
        while True:
            await self.on_message(await self.ws.receive_bytes())

    async def on_message(self, message: bytes) -> None:
        """Acts on one frame. Types that we do not know are for newer agents: they are ignored."""
        try:
            frame = msgspec.msgpack.decode(message, type=Frame)
            match frame.type:
                case "request":
                    task = asyncio.create_task(self.answer(msgspec.msgpack.decode(message, type=Request)))
                    self.calls[frame.id] = task
                    task.add_done_callback(lambda _: self.calls.pop(frame.id, None))
                case "cancel" | "error" if frame.id is not None:
                    # The caller left, or its time is up: nobody waits for this answer any more.
                    if call := self.calls.get(frame.id):
                        call.cancel()
                case "error":
                    log.warning("the relay says: %s %s", frame.code, frame.detail or "")
                case "ping":
                    await self.send({"type": "pong", "t": frame.t})
                case "drain" if not self.draining.done():
                    self.draining.set_result(frame.redial_after_ms / 1000)
                case "ready":
                    self.ready_at = time.monotonic()
                    log.info("ready: callers reach this agent at %s/relay/%s", API, frame.agent_id)
                case other:
                    log.debug("ignoring a frame of type %r", other)
        except msgspec.MsgspecError as error:
            log.warning("ignoring a frame that cannot be read: %s", error)

    async def answer(self, request: Request) -> None:
        """Makes the answer in a thread and sends it; a handler that fails costs its own call only."""
        began = time.monotonic()
        try:
            made = await asyncio.to_thread(handle, request)
            frame = {"type": "response", "id": request.id, "status": made.status, "headers": made.headers}
            frame["body"] = made.body  # always the last key
        except Exception as error:
            log.exception("the handler failed on %s", request.request_id)
            frame = {"type": "error", "id": request.id, "code": "handler_failed", "detail": type(error).__name__}
        await self.send(frame)
        took = (time.monotonic() - began) * 1000
        log.info("call %s from %s answered in %.1f ms", request.request_id, request.caller or "anonymous", took)

    async def send(self, frame: dict) -> None:
        """One frame, one binary message. A line that is closing takes no more: its end is told where we read."""
        try:
            await self.ws.send_bytes(msgspec.msgpack.encode(frame))
        except Exception as error:
            log.debug("could not send %s: %s", frame["type"], describe(error))


async def stay_reachable(http: httpx.AsyncClient, me: Identity) -> str:
    """Holds a line, and dials again whenever it is lost. Returns only to say why that would be useless."""
    attempt = 0
    async with asyncio.TaskGroup() as lines:
        while True:
            line = Line(http, me)
            held = lines.create_task(line.hold())
            await asyncio.wait({held, line.draining}, return_when=asyncio.FIRST_COMPLETED)
            if not held.done():
                # The node is leaving: calls in flight finish on the old line while we dial a new one.
                wait = line.draining.result()
                log.info("the relay is draining; dialling again in %.1f s", wait)
            else:
                code, why = held.result()
                if code in NO_REDIAL:
                    return f"closed with {code} ({why}): {NO_REDIAL[code].format(path=me.path)}"
                steady = line.ready_at is not None and time.monotonic() - line.ready_at > STEADY_S
                attempt = 0 if steady else attempt + 1
                # A relay that is leaving or overloaded names a time, so that not all of its agents come at once.
                asked = re.search(r"; redial after (\d+) ms$", why) if code in (1001, 1013) else None
                wait = min(int(asked[1]) / 1000, REDIAL_S[1]) if asked else 0.0
                if not asked or attempt > 1:
                    wait += pause(attempt)
                log.warning("line lost (%s, %s); dialling again in %.1f s", code or "no close code", why, wait)
            await asyncio.sleep(wait)


def pause(attempt: int) -> float:
    """Full jitter: somewhere between the least pause and a bound that doubles, so that agents do not dial in step."""
    least, most = REDIAL_S
    return random.uniform(least, min(most, 2 * least * 2 ** min(attempt, 10)))


def describe(error: BaseException) -> str:
    """The innermost cause in a few words; some libraries wrap one error in a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


async def main() -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,89}", BOT_NAME):
        return "BOT_NAME must be 1 to 90 letters, digits, dots, dashes or underscores"
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows has no such handlers; Ctrl-C works there too
            asyncio.get_running_loop().add_signal_handler(number, asyncio.current_task().cancel)
    async with httpx.AsyncClient(timeout=30.0) as http:
        known = load_identity()
        try:
            me = known or await register(http)
        except Refused as reason:
            return str(reason)
        log.info("%s %s, id %s", "welcome back" if known else "registered", me.path.stem, me.id)
        log.info("API key %s... is kept in %s", me.api_key[:8], me.path)
        return await stay_reachable(http, me)


if __name__ == "__main__":
    level = (os.environ.get("LOG_LEVEL") or "INFO").upper()
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # their DEBUG lines would show the API key
    try:
        sys.exit(asyncio.run(main()))
    except (KeyboardInterrupt, asyncio.CancelledError):
        log.info("left")
