"""The unmodified a2a-sdk 0.3 as a client of an agent of A2A 0.3 behind the relay. Run it on a stage: see stage.py."""

import asyncio
import os
import ssl
import time
import unittest
import uuid

import httpx
from a2a.client import ClientConfig, ClientFactory
from a2a.types import Message, Part, Role, TaskArtifactUpdateEvent, TaskIdParams, TaskQueryParams, TaskState, TextPart
from a2a.utils import get_message_text
from agent import PAUSE

DEADLINE_S = 20
STEPS = 15


def message(text):
    return Message(role=Role.user, parts=[Part(root=TextPart(text=text))], message_id=str(uuid.uuid4()))


def artifact(event):
    """The text of an artifact's event; None for others."""
    made = event[1]
    return made.artifact.parts[0].root.text if isinstance(made, TaskArtifactUpdateEvent) else None


class Caller(unittest.IsolatedAsyncioTestCase):
    """Clients that are given a base URL and find the rest in the card there."""

    base = "STAGE_PUBLIC_V03"

    async def connect(self, streaming=True):
        trust = ssl.create_default_context(cafile=os.environ.get("STAGE_CA"))
        http = httpx.AsyncClient(verify=trust, timeout=DEADLINE_S)
        self.addAsyncCleanup(http.aclose)
        config = ClientConfig(httpx_client=http, supported_transports=[self.binding], streaming=streaming)
        return await ClientFactory.connect(os.environ[self.base], config)

    async def ask(self, client, text):
        [answer] = [answer async for answer in client.send_message(message(text))]
        return get_message_text(answer)

    async def begin(self, client, text):
        """Sends a message and gives the task's stream and id, once it works."""
        stream = client.send_message(message(text))
        async for task, _ in stream:
            if task.status.state == TaskState.working:
                return stream, task.id
        raise AssertionError("the stream ended before the task worked")

    async def step_on(self, stream, other, task_id):
        """Reads a stream to its end; after each artifact `other` asks for the next. Gives the artifacts' texts."""
        texts = []
        async with asyncio.timeout(DEADLINE_S):
            async for event in stream:
                if artifact(event):
                    texts.append(artifact(event))
                    await self.ask(other, f"go {task_id}")
        return texts


class Calls:
    async def test_a_message_is_answered(self):
        client = await self.connect()
        self.assertEqual(await self.ask(client, "echo Grüße, 電話 📞"), "Grüße, 電話 📞")

    async def test_without_streaming_the_finished_task_is_the_answer(self):
        client = await self.connect(streaming=False)
        [(task, _)] = [event async for event in client.send_message(message("count 2"))]
        self.assertEqual(task.status.state, TaskState.completed)
        self.assertEqual([part.root.text for made in task.artifacts for part in made.parts], ["1", "2"])

    async def test_events_arrive_as_they_are_made(self):
        client = await self.connect()
        arrived = []
        async for event in client.send_message(message("count 4")):
            if artifact(event):
                arrived.append((artifact(event), time.monotonic()))
        self.assertEqual([text for text, _ in arrived], ["1", "2", "3", "4"])
        # The agent needed three pauses for it; on a busy machine one may arrive late, but not all of them together.
        self.assertGreater(arrived[-1][1] - arrived[0][1], 2 * PAUSE)

    async def test_each_event_arrives_before_the_next_is_made(self):
        client, other = await self.connect(), await self.connect()
        stream, task_id = await self.begin(client, "step 5")
        self.assertEqual(await self.step_on(stream, other, task_id), ["1", "2", "3", "4", "5"])

    async def test_a_task_can_be_looked_up(self):
        client = await self.connect()
        stream, task_id = await self.begin(client, "step 2")
        working = await client.get_task(TaskQueryParams(id=task_id))
        self.assertEqual(working.status.state, TaskState.working)
        await self.step_on(stream, client, task_id)
        done = await client.get_task(TaskQueryParams(id=task_id))
        self.assertEqual(done.status.state, TaskState.completed)

    async def test_a_running_task_is_cancelled(self):
        client, other = await self.connect(), await self.connect()
        _, task_id = await self.begin(client, "wait")
        cancelled = await other.cancel_task(TaskIdParams(id=task_id))
        self.assertEqual(cancelled.status.state, TaskState.canceled)

    async def test_a_caller_that_left_its_stream_takes_it_up_again(self):
        client, other = await self.connect(), await self.connect()
        stream, task_id = await self.begin(client, f"step {STEPS}")
        while artifact(await anext(stream)) != "1":
            pass
        await stream.aclose()
        taken_up = other.resubscribe(TaskIdParams(id=task_id))
        # It begins only when the agent makes an artifact.
        waiting = asyncio.ensure_future(anext(taken_up))
        async with asyncio.timeout(DEADLINE_S):
            while not (await asyncio.wait([waiting], timeout=PAUSE))[0]:
                await self.ask(client, f"go {task_id}")
        await self.ask(client, f"go {task_id}")
        texts = [artifact(await waiting), *await self.step_on(taken_up, client, task_id)]
        numbers = [int(text) for text in texts if text]
        self.assertEqual(numbers, list(range(STEPS - len(numbers) + 1, STEPS + 1)))
        self.assertGreater(len(numbers), 1)


class JsonRpc(Calls, Caller):
    binding = "JSONRPC"


class HttpJson(Calls, Caller):
    binding = "HTTP+JSON"


class DirectoryEnquiries(Caller):
    base, binding = "STAGE_URL", "JSONRPC"

    async def test_the_exchange_names_the_agents_for_a_task(self):
        client = await self.connect()
        endpoints = {}
        async with asyncio.timeout(DEADLINE_S):
            # Who has just registered is found within a second.
            while os.environ["STAGE_PUBLIC_V03"] not in endpoints:
                [answer] = [answer async for answer in client.send_message(message("echoes, counts and waits"))]
                text, data = (part.root for part in answer.parts)
                endpoints = {candidate["endpoint"]: candidate["name"] for candidate in data.data["candidates"]}
        self.assertIn(endpoints[os.environ["STAGE_PUBLIC_V03"]], text.text)


if __name__ == "__main__":
    unittest.main()
