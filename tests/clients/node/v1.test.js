// The unmodified @a2a-js/sdk 1.x as a client of agents behind the relay.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SendMessageRequest, TaskState } from "@a2a-js/sdk";
import {
  ClientFactory,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  RestTransportFactory,
  createAuthenticatingFetchWithRetry,
} from "@a2a-js/sdk/client";
import { TaskNotCancelableError, TaskNotFoundError } from "@a2a-js/sdk/errors";
import { LONG, PAUSE_MS, base, first, inTime, stepOn } from "./stage.js";

const STEPS = 15;
const { TASK_STATE_CANCELED: CANCELED, TASK_STATE_COMPLETED: COMPLETED, TASK_STATE_WORKING: WORKING } = TaskState;

/** A client that is given a base URL and finds the rest in the card there. */
function connect(where, binding, fetchImpl = fetch) {
  // The SDK talks to agents of A2A 0.3, too, once this is on.
  const options = { legacyCompat: { enabled: true }, fetchImpl };
  const factory = new ClientFactory({
    transports: [new JsonRpcTransportFactory(options), new RestTransportFactory(options)],
    preferredTransports: [binding],
    cardResolver: new DefaultAgentCardResolver(options),
  });
  return factory.createFromUrl(base(where));
}

const request = (text) =>
  SendMessageRequest.fromJSON({ message: { messageId: crypto.randomUUID(), role: "ROLE_USER", parts: [{ text }] } });
const texts = (parts) => parts.map((part) => part.content.value).join("");
const artifact = ({ payload }) => payload.$case === "artifactUpdate" && texts(payload.value.artifact.parts);
const state = ({ payload }) => payload.value.status?.state;
const ask = async (client, text) => texts((await client.sendMessage(request(text))).parts);
const go = (client, id) => () => ask(client, `go ${id}`);

/** Sends a message and gives the task's stream and id, once it works. */
async function begin(client, text) {
  const stream = client.sendMessageStream(request(text));
  let id;
  // Not `for await`, which would end the stream when it is left.
  for (let next = await stream.next(); !next.done; next = await stream.next()) {
    const { payload } = next.value;
    if (payload.$case === "task") id = payload.value.id;
    if (state(next.value) === WORKING) return [stream, id];
  }
  throw new Error("the stream ended before the task worked");
}

/** What both versions of the protocol have. */
function basics(where, binding) {
  test("a message is answered", async () => {
    const client = await connect(where, binding);
    assert.equal(await ask(client, "echo Grüße, 電話 📞"), "Grüße, 電話 📞");
  });

  test("without streaming the finished task is the answer", async () => {
    const client = await connect(where, binding);
    const task = await client.sendMessage(request("count 2"));
    assert.equal(task.status.state, COMPLETED);
    assert.deepEqual(task.artifacts.map((made) => texts(made.parts)), ["1", "2"]);
  });

  test("a long message goes whole", async () => {
    const client = await connect(where, binding);
    assert.equal(await ask(client, `length ${"x".repeat(LONG)}`), String(LONG));
  });

  test("a long answer comes whole", async () => {
    const client = await connect(where, binding);
    // Not assert.equal, which would print it.
    assert.ok((await ask(client, `long ${LONG}`)) === "x".repeat(LONG));
  });

  test("events arrive as they are made", async () => {
    const client = await connect(where, binding);
    const arrived = [];
    let last;
    for await (const event of client.sendMessageStream(request("count 4"))) {
      last = state(event) ?? last;
      if (artifact(event)) arrived.push([artifact(event), performance.now()]);
    }
    assert.deepEqual(arrived.map(([text]) => text), ["1", "2", "3", "4"]);
    assert.equal(last, COMPLETED);
    // The agent needed three pauses; on a busy machine one event may be late, but not all of them together.
    const took = arrived.at(-1)[1] - arrived[0][1];
    assert.ok(took > 2 * PAUSE_MS, `all events within ${took} ms`);
  });

  test("each event arrives before the next is made", async () => {
    const [client, other] = [await connect(where, binding), await connect(where, binding)];
    const [stream, id] = await begin(client, "step 5");
    assert.deepEqual(await inTime(stepOn(stream, artifact, go(other, id))), ["1", "2", "3", "4", "5"]);
  });

  test("a task can be looked up", async () => {
    const client = await connect(where, binding);
    const [stream, id] = await begin(client, "step 2");
    assert.equal((await client.getTask({ id })).status.state, WORKING);
    await inTime(stepOn(stream, artifact, go(client, id)));
    const done = await client.getTask({ id });
    assert.equal(done.status.state, COMPLETED);
    assert.equal(done.artifacts.length, 2);
  });

  test("a running task is cancelled", async () => {
    const [client, other] = [await connect(where, binding), await connect(where, binding)];
    const [stream, id] = await begin(client, "wait");
    assert.equal((await other.cancelTask({ id })).status.state, CANCELED);
    assert.equal((await client.getTask({ id })).status.state, CANCELED);
    await stream.return();
  });

  test("a caller that left its stream takes it up again", async () => {
    const [client, other] = [await connect(where, binding), await connect(where, binding)];
    const [stream, id] = await begin(client, `step ${STEPS}`);
    while (artifact((await stream.next()).value) !== "1");
    await stream.return();
    const takenUp = other.resubscribeTask({ id });
    const early = artifact(await inTime(first(takenUp, go(client, id))));
    const rest = await inTime(stepOn(takenUp, artifact, go(client, id)));
    const numbers = (early ? [early, ...rest] : rest).map(Number);
    assert.deepEqual(numbers, Array.from(numbers, (_, n) => STEPS - numbers.length + 1 + n));
    assert.ok(numbers.length > 1, `${numbers}`);
  });
}

/** What A2A 1.0 and its SDK have in addition. */
function everything(where, binding) {
  basics(where, binding);

  test("the stream of a cancelled task says so and ends", async () => {
    const [client, other] = [await connect(where, binding), await connect(where, binding)];
    const [stream, id] = await begin(client, "wait");
    await other.cancelTask({ id });
    let last;
    await inTime((async () => {
      for await (const event of stream) last = state(event);
    })());
    assert.equal(last, CANCELED);
  });

  test("one of two listeners leaves and the other stays", async () => {
    const [client, other] = [await connect(where, binding), await connect(where, binding)];
    const [stream, id] = await begin(client, "step 3");
    const second = other.resubscribeTask({ id });
    // The first event is the task as it is.
    assert.equal((await second.next()).value.payload.value.id, id);
    await second.return();
    assert.deepEqual(await inTime(stepOn(stream, artifact, go(other, id))), ["1", "2", "3"]);
  });

  test("errors of the agent keep their kind", async () => {
    const client = await connect(where, binding);
    await assert.rejects(client.getTask({ id: "none" }), (error) => error instanceof TaskNotFoundError);
    const { id } = await client.sendMessage(request("count 1"));
    await assert.rejects(client.cancelTask({ id }), (error) => error instanceof TaskNotCancelableError);
  });

  test("tasks are listed page by page", async () => {
    const client = await connect(where, binding);
    const made = [];
    for (let n = 0; n < 3; n += 1) made.push((await client.sendMessage(request("count 1"))).id);
    const listed = new Set();
    let pageToken = "";
    for (let n = 0; n < 100; n += 1) {
      const page = await client.listTasks({ pageSize: 2, pageToken });
      for (const task of page.tasks) listed.add(task.id);
      pageToken = page.nextPageToken;
      if (!pageToken) break;
    }
    assert.deepEqual(made.filter((id) => !listed.has(id)), []);
  });

  test("push configurations are made, read and deleted", async () => {
    const client = await connect(where, binding);
    const { id: taskId } = await client.sendMessage(request("count 1"));
    // Nothing is sent there: this agent has no sender.
    const config = { taskId, id: "hook", url: "https://hooks.example/a?b=c" };
    await client.createTaskPushNotificationConfig(config);
    const { configs } = await client.listTaskPushNotificationConfig({ taskId });
    assert.deepEqual(configs.map(({ id, url }) => ({ id, url })), [{ id: config.id, url: config.url }]);
    await client.deleteTaskPushNotificationConfig({ taskId, id: "hook" });
    assert.deepEqual((await client.listTaskPushNotificationConfig({ taskId })).configs, []);
  });
}

for (const binding of ["JSONRPC", "HTTP+JSON"]) {
  describe(`${binding} through the relay`, () => everything("STAGE_PUBLIC", binding));
  describe(`${binding} through a dialled port`, () => everything("STAGE_DIALLED", binding));
  describe(`${binding} to an agent of A2A 0.3`, () => basics("STAGE_PUBLIC_V03", binding));
}

describe("an agent that is not public", () => {
  test("refuses the unknown", async () => {
    const client = await connect("STAGE_PRIVATE", "JSONRPC");
    await assert.rejects(ask(client, "echo hello"), /401/);
  });

  test("answers whoever comes with a key", async () => {
    const handler = {
      headers: async () => ({}),
      // The relay says that it wants a bearer, and the SDK asks again with one.
      shouldRetryWithHeaders: async (_, answer) =>
        answer.status === 401 && answer.headers.get("www-authenticate") === "Bearer"
          ? { Authorization: `Bearer ${process.env.STAGE_KEY}` }
          : undefined,
    };
    const client = await connect("STAGE_PRIVATE", "JSONRPC", createAuthenticatingFetchWithRetry(fetch, handler));
    assert.equal(await ask(client, "echo hello"), "hello");
  });
});

test("the exchange names the agents for a task", async () => {
  const client = await connect("STAGE_URL", "JSONRPC");
  const wanted = ({ endpoint }) => endpoint === process.env.STAGE_PUBLIC;
  const look = async () => {
    // Who has just registered is found within a second.
    for (let tries = 0; tries < 100; tries += 1) {
      const { parts } = await client.sendMessage(request("echoes, counts and waits"));
      const [text, data] = parts.map((part) => part.content.value);
      const candidate = data.candidates.find(wanted);
      if (candidate) return [text, candidate];
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("the agent is not found");
  };
  const [text, { name }] = await inTime(look());
  assert.ok(text.includes(name), text);
});
