"""The agent on a2a-sdk 0.3: A2A 0.3 by JSON-RPC at its root and by HTTP+JSON at /rest."""

from a2a.server.agent_execution import AgentExecutor
from a2a.server.apps import A2ARESTFastAPIApplication, A2AStarletteApplication
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill, Part, TextPart
from a2a.utils import new_agent_text_message, new_task
from agent import Agent, serve


class Desk:
    def __init__(self, context, queue):
        self.context = context
        self.queue = queue
        self.task_id = context.task_id
        self.task = TaskUpdater(queue, context.task_id, context.context_id)

    async def say(self, text):
        await self.queue.enqueue_event(new_agent_text_message(text, context_id=self.context.context_id))

    async def begin(self):
        await self.queue.enqueue_event(new_task(self.context.message))
        await self.task.start_work()

    async def artifact(self, text):
        await self.task.add_artifact([Part(root=TextPart(text=text))], name=f"artifact {text}")

    async def fail(self, why):
        await self.task.failed(self.task.new_agent_message([Part(root=TextPart(text=why))]))

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
        name="Clients' agent 0.3",
        description="Echoes, counts and waits.",
        version="1.0.0",
        url=url,
        preferred_transport="JSONRPC",
        additional_interfaces=[
            AgentInterface(url=url, transport="JSONRPC"),
            AgentInterface(url=f"{url}/rest", transport="HTTP+JSON"),
        ],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="echo", name="Echo", description="Says it again.", tags=["test"])],
    )
    handler = DefaultRequestHandler(agent_executor=Executor(), task_store=InMemoryTaskStore())
    app = A2AStarletteApplication(agent_card=card, http_handler=handler).build()
    app.mount("/rest", A2ARESTFastAPIApplication(agent_card=card, http_handler=handler).build())
    return app


if __name__ == "__main__":
    serve(application)
