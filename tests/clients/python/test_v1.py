"""The unmodified a2a-sdk 1.x as a client of agents behind the relay. Run it on a stage: see stage.py."""

import asyncio
import os
import ssl
import time
import unittest

import httpx
from a2a.client import AuthInterceptor, ClientConfig, CredentialService, create_client
from a2a.client.errors import A2AClientError
from a2a.helpers import get_stream_response_text, new_text_message
from a2a.types import (
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTasksRequest,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import TaskNotCancelableError, TaskNotFoundError
from agent import PAUSE
from google.protobuf.json_format import MessageToDict

DEADLINE_S = 20
STEPS = 15
# More than the relay carries in one piece.
LONG = 3 * 1024 * 1024


def request(text):
    return SendMessageRequest(message=new_text_message(text, role=Role.ROLE_USER))


def artifact(event):
    """The text of an artifact event; None for others."""
    return get_stream_response_text(event) if event.HasField("artifact_update") else None


def state(event):
    """The state that an event tells; None if it tells none."""
    if event.HasField("task"):
        return event.task.status.state
    return event.status_update.status.state if event.HasField("status_update") else None


class Key(CredentialService):
    """The relay's credential, for the security scheme that the relay's card names."""

    async def get_credentials(self, security_scheme_name, context):
        return os.environ["STAGE_KEY"] if security_scheme_name == "landline" else None


class Caller(unittest.IsolatedAsyncioTestCase):
    """Clients that are given a base URL and find the rest in the card there."""

    base = None
    binding = None

    async def connect(self, interceptors=None, streaming=True):
        trust = ssl.create_default_context(cafile=os.environ.get("STAGE_CA"))
        http = httpx.AsyncClient(verify=trust, timeout=DEADLINE_S)
        self.addAsyncCleanup(http.aclose)
        config = ClientConfig(httpx_client=http, supported_protocol_bindings=[self.binding], streaming=streaming)
        return await create_client(os.environ[self.base], config, interceptors)

    async def ask(self, client, text):
        [event] = [event async for event in client.send_message(request(text))]
        return event

    async def begin(self, client, text):
        """Sends a message and gives the task's stream and id, once it works."""
        stream = client.send_message(request(text))
        task_id = None
        async for event in stream:
            if event.HasField("task"):
                task_id = event.task.id
            if state(event) == TaskState.TASK_STATE_WORKING:
                return stream, task_id
        raise AssertionError("the stream ended before the task worked")


    async def step_on(self, stream, other, task_id):
        """Reads a stream to its end; after each artifact `other` asks for the next. Gives the texts of its events."""
        texts = []
        async with asyncio.timeout(DEADLINE_S):
            async for event in stream:
                texts.append(artifact(event))
                if texts[-1]:
                    await self.ask(other, f"go {task_id}")
        return texts

    async def first(self, stream, other, task_id):
        """The first event of a stream that an agent of A2A 0.3 begins only when it makes an artifact: `other` asks it to."""
        waiting = asyncio.ensure_future(anext(stream))
        async with asyncio.timeout(DEADLINE_S):
            while not (await asyncio.wait([waiting], timeout=PAUSE))[0]:
                await self.ask(other, f"go {task_id}")
        await self.ask(other, f"go {task_id}")
        return await waiting


class Basics:
    """What both versions of the protocol have."""

    async def test_a_message_is_answered(self):
        client = await self.connect()
        event = await self.ask(client, "echo Grüße, 電話 📞")
        self.assertEqual(get_stream_response_text(event), "Grüße, 電話 📞")

    async def test_without_streaming_the_finished_task_is_the_answer(self):
        client = await self.connect(streaming=False)
        event = await self.ask(client, "count 2")
        self.assertEqual(event.task.status.state, TaskState.TASK_STATE_COMPLETED)
        self.assertEqual([part.text for made in event.task.artifacts for part in made.parts], ["1", "2"])

    async def test_a_long_message_goes_whole(self):
        client = await self.connect(streaming=False)
        event = await self.ask(client, f"length {'x' * LONG}")
        self.assertEqual(get_stream_response_text(event), str(LONG))

    async def test_a_long_answer_comes_whole(self):
        client = await self.connect(streaming=False)
        event = await self.ask(client, f"long {LONG}")
        # Not assertEqual, which would print it.
        self.assertTrue(get_stream_response_text(event) == "x" * LONG)

    async def test_events_arrive_as_they_are_made(self):
        client = await self.connect()
        arrived = []
        last = None
        async for event in client.send_message(request("count 4")):
            last = state(event) or last
            if artifact(event):
                arrived.append((artifact(event), time.monotonic()))
        self.assertEqual([text for text, _ in arrived], ["1", "2", "3", "4"])
        self.assertEqual(last, TaskState.TASK_STATE_COMPLETED)
        # The agent needed three pauses for it; on a busy machine one may arrive late, but not all of them together.
        self.assertGreater(arrived[-1][1] - arrived[0][1], 2 * PAUSE)

    async def test_each_event_arrives_before_the_next_is_made(self):
        client, other = await self.connect(), await self.connect()
        stream, task_id = await self.begin(client, "step 5")
        arrived = await self.step_on(stream, other, task_id)
        self.assertEqual([text for text in arrived if text], ["1", "2", "3", "4", "5"])

    async def test_a_task_can_be_looked_up(self):
        client = await self.connect()
        stream, task_id = await self.begin(client, "count 2")
        working = await client.get_task(GetTaskRequest(id=task_id))
        self.assertEqual(working.status.state, TaskState.TASK_STATE_WORKING)
        async for _ in stream:
            pass
        done = await client.get_task(GetTaskRequest(id=task_id))
        self.assertEqual(done.status.state, TaskState.TASK_STATE_COMPLETED)
        self.assertEqual(len(done.artifacts), 2)

    async def test_a_running_task_is_cancelled(self):
        client, other = await self.connect(), await self.connect()
        _, task_id = await self.begin(client, "wait")
        cancelled = await other.cancel_task(CancelTaskRequest(id=task_id))
        self.assertEqual(cancelled.status.state, TaskState.TASK_STATE_CANCELED)
        found = await client.get_task(GetTaskRequest(id=task_id))
        self.assertEqual(found.status.state, TaskState.TASK_STATE_CANCELED)

    async def test_a_caller_that_left_its_stream_takes_it_up_again(self):
        client, other = await self.connect(), await self.connect()
        stream, task_id = await self.begin(client, f"step {STEPS}")
        while artifact(await anext(stream)) != "1":
            pass
        await stream.aclose()
        taken_up = other.subscribe(SubscribeToTaskRequest(id=task_id))
        first = await self.first(taken_up, client, task_id)
        rest = [artifact(first), *await self.step_on(taken_up, client, task_id)]
        numbers = [int(text) for text in rest if text]
        self.assertEqual(numbers, list(range(STEPS - len(numbers) + 1, STEPS + 1)))
        self.assertGreater(len(numbers), 1)


class Everything(Basics):
    """What A2A 1.0 and its SDK have in addition."""

    async def test_the_stream_of_a_cancelled_task_says_so_and_ends(self):
        client, other = await self.connect(), await self.connect()
        stream, task_id = await self.begin(client, "wait")
        await other.cancel_task(CancelTaskRequest(id=task_id))
        async with asyncio.timeout(DEADLINE_S):
            rest = [state(event) async for event in stream]
        self.assertEqual(rest[-1], TaskState.TASK_STATE_CANCELED)

    async def test_one_of_two_listeners_leaves_and_the_other_stays(self):
        client, other = await self.connect(), await self.connect()
        stream, task_id = await self.begin(client, "step 3")
        second = other.subscribe(SubscribeToTaskRequest(id=task_id))
        # The first event is the task as it is.
        self.assertEqual((await anext(second)).task.id, task_id)
        await second.aclose()
        arrived = await self.step_on(stream, other, task_id)
        self.assertEqual([text for text in arrived if text], ["1", "2", "3"])

    async def test_errors_of_the_agent_keep_their_kind(self):
        client = await self.connect()
        with self.assertRaises(TaskNotFoundError):
            await client.get_task(GetTaskRequest(id="none"))
        stream, task_id = await self.begin(client, "count 1")
        async for _ in stream:
            pass
        with self.assertRaises(TaskNotCancelableError):
            await client.cancel_task(CancelTaskRequest(id=task_id))

    async def test_tasks_are_listed_page_by_page(self):
        client = await self.connect(streaming=False)
        made = {(await self.ask(client, "count 1")).task.id for _ in range(3)}
        listed, page = set(), ""
        for _ in range(100):
            answer = await client.list_tasks(ListTasksRequest(page_size=2, page_token=page))
            listed |= {task.id for task in answer.tasks}
            page = answer.next_page_token
            if not page:
                break
        self.assertLessEqual(made, listed)

    async def test_push_configurations_are_made_read_and_deleted(self):
        client = await self.connect(streaming=False)
        task_id = (await self.ask(client, "count 1")).task.id
        # Nothing is sent there: this agent has no sender.
        config = TaskPushNotificationConfig(task_id=task_id, id="hook", url="https://hooks.example/a?b=c")
        await client.create_task_push_notification_config(config)
        of_task = ListTaskPushNotificationConfigsRequest(task_id=task_id)
        listed = await client.list_task_push_notification_configs(of_task)
        self.assertEqual([(made.id, made.url) for made in listed.configs], [("hook", config.url)])
        await client.delete_task_push_notification_config(
            DeleteTaskPushNotificationConfigRequest(task_id=task_id, id="hook")
        )
        self.assertEqual(len((await client.list_task_push_notification_configs(of_task)).configs), 0)


class JsonRpcThroughTheRelay(Everything, Caller):
    base, binding = "STAGE_PUBLIC", "JSONRPC"


class HttpJsonThroughTheRelay(Everything, Caller):
    base, binding = "STAGE_PUBLIC", "HTTP+JSON"


class JsonRpcThroughADialledPort(Everything, Caller):
    base, binding = "STAGE_DIALLED", "JSONRPC"


class HttpJsonThroughADialledPort(Everything, Caller):
    base, binding = "STAGE_DIALLED", "HTTP+JSON"


class JsonRpcToAnAgentOfV03(Basics, Caller):
    base, binding = "STAGE_PUBLIC_V03", "JSONRPC"


class HttpJsonToAnAgentOfV03(Basics, Caller):
    base, binding = "STAGE_PUBLIC_V03", "HTTP+JSON"


class Credentials(Caller):
    base, binding = "STAGE_PRIVATE", "JSONRPC"

    async def test_an_agent_that_is_not_public_refuses_the_unknown(self):
        client = await self.connect()
        with self.assertRaisesRegex(A2AClientError, "401"):
            await self.ask(client, "echo hello")

    async def test_the_sdk_presents_the_credential_that_the_card_asks_for(self):
        client = await self.connect([AuthInterceptor(Key())])
        event = await self.ask(client, "echo hello")
        self.assertEqual(get_stream_response_text(event), "hello")


class DirectoryEnquiries(Caller):
    base, binding = "STAGE_URL", "JSONRPC"

    async def test_the_exchange_names_the_agents_for_a_task(self):
        client = await self.connect()
        wanted = os.environ["STAGE_PUBLIC"].rsplit("/", 1)[1]
        found = {}
        async with asyncio.timeout(DEADLINE_S):
            # Who has just registered is found within a second.
            while wanted not in found:
                event = await self.ask(client, "echoes, counts and waits")
                text, data = event.message.parts
                answer = MessageToDict(data.data)
                found = {candidate["agent_id"]: candidate for candidate in answer["candidates"]}
        self.assertEqual(found[wanted]["endpoint"], os.environ["STAGE_PUBLIC"])
        self.assertIn(found[wanted]["name"], text.text)
        urls = [entry["url"] for entry in answer["entries"]]
        self.assertIn(f"{os.environ['STAGE_PUBLIC']}/.well-known/agent-card.json", urls)

    async def test_there_are_no_tasks(self):
        client = await self.connect()
        with self.assertRaises(TaskNotFoundError):
            await client.get_task(GetTaskRequest(id="none"))


if __name__ == "__main__":
    unittest.main()
