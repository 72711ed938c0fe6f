"""The agent on a2a-sdk 1.x: A2A 1.0 by JSON-RPC at its root and by HTTP+JSON at /rest."""

from a2a.helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryPushNotificationConfigStore, InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from agent import Agent, serve
from starlette.applications import Starlette


class Desk:
    def __init__(self, context, queue):
        self.context = context
        self.queue = queue
        self.task_id = context.task_id
        self.task = TaskUpdater(queue, context.task_id, context.context_id)

    async def say(self, text):
        await self.queue.enqueue_event(new_text_message(text, context_id=self.context.context_id))

    async def begin(self):
        task = new_task_from_user_message(self.context.message)
        task.id, task.context_id = self.context.task_id, self.context.context_id
        await self.queue.enqueue_event(task)
        await self.task.start_work()

    async def artifact(self, text):
        await self.task.add_artifact([new_text_part(text)], name=f"artifact {text}")

    async def fail(self, why):
        await self.task.failed(self.task.new_agent_message([new_text_part(why)]))

    async def complete(self):
        await self.task.complete()


class Executor(AgentExecutor):
    def __init__(self):
        self.agent = Agent()

    async def execute(self, context, event_queue):
        await self.agent.perform(context.get_user_input(), Desk(context, event_queue))

    async def cancel(self, context, event_queue):
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def application(url):
    card = AgentCard(
        name="Clients' agent 1.0",
        description="Echoes, counts and waits.",
        version="1.0.0",
        supported_interfaces=[
            AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0"),
            AgentInterface(url=f"{url}/rest", protocol_binding="HTTP+JSON", protocol_version="1.0"),
        ],
        capabilities=AgentCapabilities(streaming=True, push_notifications=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="echo", name="Echo", description="Says it again.", tags=["test"])],
    )
    handler = DefaultRequestHandler(
        agent_executor=Executor(),
        task_store=InMemoryTaskStore(),
        agent_card=card,
        push_config_store=InMemoryPushNotificationConfigStore(),
    )
    routes = [
        *create_agent_card_routes(card),
        *create_jsonrpc_routes(handler, "/"),
        *create_rest_routes(handler, path_prefix="/rest"),
    ]
    return Starlette(routes=routes)


if __name__ == "__main__":
    serve(application)
