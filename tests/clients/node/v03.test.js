// The unmodified @a2a-js/sdk 0.3 as a client of an agent of A2A 0.3 behind the relay.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ClientFactory, JsonRpcTransportFactory, RestTransportFactory } from "a2a-js-sdk-v0.3/client";
import { PAUSE_MS, base, first, inTime, stepOn } from "./stage.js";

const STEPS = 15;

/** A client that is given a base URL and finds the rest in the card there. */
function connect(binding) {
  const transports = [new JsonRpcTransportFactory(), new RestTransportFactory()];
  return new ClientFactory({ transports, preferredTransports: [binding] }).createFromUrl(base("STAGE_PUBLIC_V03"));
}

const request = (text) => ({
  message: { kind: "message", messageId: crypto.randomUUID(), role: "user", parts: [{ kind: "text", text }] },
});
const texts = (parts) => parts.map((part) => part.text).join("");
const artifact = (event) => event.kind === "artifact-update" && texts(event.artifact.parts);
const ask = async (client, text) => texts((await client.sendMessage(request(text))).parts);
const go = (client, id) => () => ask(client, `go ${id}`);

/** Sends a message and gives the task's stream and id, once it works. */
async function begin(client, text, options) {
  const stream = client.sendMessageStream(request(text), options);
  // Not `for await`, which would end the stream when it is left.
  for (let next = await stream.next(); !next.done; next = await stream.next()) {
    const event = next.value;
    if (event.kind === "status-update" && event.status.state === "working") return [stream, event.taskId];
  }
  throw new Error("the stream ended before the task worked");
}

for (const binding of ["JSONRPC", "HTTP+JSON"]) {
  // Without a relay, too, this SDK does not understand the HTTP+JSON streams of its sister in Python, which puts an
  // event's JSON on several lines.
  const streams = binding === "JSONRPC" ? test : () => {};

  describe(`${binding} to an agent of A2A 0.3 by its own SDK`, () => {
    test("a message is answered", async () => {
      const client = await connect(binding);
      assert.equal(await ask(client, "echo Grüße, 電話 📞"), "Grüße, 電話 📞");
    });

    test("without streaming the finished task is the answer", async () => {
      const client = await connect(binding);
      const task = await client.sendMessage(request("count 2"));
      assert.equal(task.status.state, "completed");
      assert.deepEqual(task.artifacts.map((made) => texts(made.parts)), ["1", "2"]);
    });

    streams("events arrive as they are made", async () => {
      const client = await connect(binding);
      const arrived = [];
      for await (const event of client.sendMessageStream(request("count 4"))) {
        if (artifact(event)) arrived.push([artifact(event), performance.now()]);
      }
      assert.deepEqual(arrived.map(([text]) => text), ["1", "2", "3", "4"]);
      // The agent needed three pauses; on a busy machine one event may be late, but not all of them together.
      const took = arrived.at(-1)[1] - arrived[0][1];
      assert.ok(took > 2 * PAUSE_MS, `all events within ${took} ms`);
    });

    streams("each event arrives before the next is made", async () => {
      const [client, other] = [await connect(binding), await connect(binding)];
      const [stream, id] = await begin(client, "step 5");
      assert.deepEqual(await inTime(stepOn(stream, artifact, go(other, id))), ["1", "2", "3", "4", "5"]);
    });

    streams("a task can be looked up", async () => {
      const client = await connect(binding);
      const [stream, id] = await begin(client, "step 2");
      assert.equal((await client.getTask({ id })).status.state, "working");
      await inTime(stepOn(stream, artifact, go(client, id)));
      assert.equal((await client.getTask({ id })).status.state, "completed");
    });

    streams("a running task is cancelled", async () => {
      const [client, other] = [await connect(binding), await connect(binding)];
      const leaving = new AbortController();
      const [, id] = await begin(client, "wait", { signal: leaving.signal });
      assert.equal((await other.cancelTask({ id })).status.state, "canceled");
      // An agent on the SDK of 0.3 leaves the stream of a cancelled task open, and this SDK does not close it either.
      leaving.abort();
    });

    streams("a caller that left its stream takes it up again", async () => {
      const [client, other] = [await connect(binding), await connect(binding)];
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
  });
}
