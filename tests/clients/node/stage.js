// Where the stage's agents are, and what every test does with an event stream.

/** The base URL that the stage gives, as the SDKs of JavaScript need it. */
export function base(variable) {
  const url = process.env[variable];
  if (!url) throw new Error(`${variable} is not set: run this on a stage, see ../python/stage.py`);
  // They resolve the card relative to the base, so that its last part counts only with a slash behind it.
  return url.endsWith("/") ? url : `${url}/`;
}

/** The pause between two artifacts of `count`, as in ../python/agent.py. */
export const PAUSE_MS = 300;
/** More than the relay carries in one piece. */
export const LONG = 3 * 1024 * 1024;
const DEADLINE_MS = 20_000;

/** `promise`, or an error when it takes too long. */
export async function inTime(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Reads a stream to its end; after each artifact `go` lets the agent make the next. Gives the artifacts' texts.
 * `artifact` gives the text of an artifact's event, and something empty for other events.
 */
export async function stepOn(stream, artifact, go) {
  const texts = [];
  for await (const event of stream) {
    const text = artifact(event);
    if (text) {
      texts.push(text);
      await go();
    }
  }
  return texts;
}

/** The first event of a stream that begins only when the agent makes an artifact: `go` lets it. */
export async function first(stream, go) {
  let found;
  const waiting = stream.next().then((event) => (found = event));
  while (!found) {
    await go();
    await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, PAUSE_MS))]);
  }
  await go();
  return found.value;
}
