"""What the test's agents can do, whichever SDK serves them; this file knows none.

A message is a word and its argument:

| message     | what happens |
|-------------|--------------|
| `echo TEXT` | the same text comes back, as a message |
| `length X`  | how long X is, as a message |
| `long N`    | N characters come back, as a message |
| `count N`   | a task of N artifacts, one each `PAUSE` seconds |
| `step N`    | a task of N artifacts, each made only after the caller has said `go TASK` |
| `go TASK`   | lets the task make its next artifact; the answer is a message |
| `wait`      | a task that works until it is cancelled |
"""

import asyncio
import collections
import socket

PAUSE = 0.3
# A caller that gets no artifact cannot ask for the next one: such a task must fail, not hang.
STEP_DEADLINE = 15.0


class Agent:
    """Performs messages. `desk` is how an SDK hands out results."""

    def __init__(self):
        self.permits = collections.defaultdict(lambda: asyncio.Semaphore(0))

    async def perform(self, text, desk):
        word, _, argument = text.partition(" ")
        match word:
            case "echo":
                await desk.say(argument)
            case "length":
                await desk.say(str(len(argument)))
            case "long":
                await desk.say("x" * int(argument))
            case "go":
                self.permits[argument].release()
                await desk.say("gone")
            case "count":
                await self.make(int(argument), desk, lambda: asyncio.sleep(PAUSE))
            case "step":
                await self.make(int(argument), desk, self.permits[desk.task_id].acquire)
            case "wait":
                await desk.begin()
                await asyncio.Event().wait()
            case _:
                raise ValueError(f"not a word of this agent: {word}")

    @staticmethod
    async def make(count, desk, pause):
        await desk.begin()
        for number in range(1, count + 1):
            if number > 1:
                try:
                    await asyncio.wait_for(pause(), STEP_DEADLINE)
                except TimeoutError:
                    await desk.fail(f"nobody took artifact {number - 1}")
                    return
            await desk.artifact(str(number))
        await desk.complete()


def serve(application):
    """Serves `application(url)` on a free port of 127.0.0.1; the first line on stdout says where."""
    import uvicorn

    # With the protocol named, asyncio sends small answers at once; otherwise each waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    # From here on callers wait, not fail.
    listener.listen()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(application(url), log_level="warning", timeout_graceful_shutdown=1)
    print(f"ready {url}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])
