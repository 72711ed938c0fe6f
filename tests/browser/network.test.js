// /network with real calls: rows and lamps arrive, figures move, and nobody is left out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Site, Wire, until } from "./site.js";

let site, alice, bob;

before(async () => {
  site = await Site.open();
  alice = await site.agent("alice");
  bob = await site.agent("bob");
});
after(() => site?.close());

const rows = (page) =>
  page.$$eval("#feed li .text", (texts) => texts.map((text) => text.textContent.replace(/\s+/g, " ").trim()));
const live = (page) => page.waitForFunction(() => document.getElementById("state-text").textContent === "Live");
const record = (requestId) =>
  until(`the record of ${requestId}`, async () => {
    const { events } = await site.json("/v1/relay/recent?limit=200");
    return events.find((event) => event.request_id === requestId);
  });

test("a call arrives as a row, without a reload, and the figures move", async () => {
  const page = await site.page("/network");
  await live(page);
  const before = Number(await page.textContent("#sample"));
  assert.equal(await bob.call(alice, { "x-request-id": "row-1" }), 200);
  const expected = new RegExp(`^relay\\.request ${bob.name} → ${alice.name} 200 \\d+(\\.\\d)?ms$`);
  await until("the row", async () => expected.test((await rows(page))[0] || ""));
  await page.waitForFunction((count) => Number(document.getElementById("sample").textContent) > count, before);
  assert.match(await page.textContent("#p50"), /^\d+(\.\d)? ms$/);
  assert.ok((await page.$$("#tape rect")).length > 0);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("agents appear on the board when they dial in and leave it when they hang up", async () => {
  const page = await site.page("/network");
  await live(page);
  const names = () => page.$$eval("#board li a", (links) => links.map((link) => link.textContent));
  assert.deepEqual(await names(), [alice.name, bob.name]);
  const carol = await site.agent("carol");
  await until("carol's jack", async () => (await names()).includes(carol.name));
  await until("carol's row", async () => (await rows(page)).includes(`agent.connect ${carol.name}`));
  await carol.stop();
  await until("the empty place", async () => !(await names()).includes(carol.name));
  await until("the last row", async () => (await rows(page)).includes(`agent.disconnect ${carol.name}`));
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("without script the page is a true snapshot", async () => {
  await alice.call(bob, { "x-request-id": "snapshot-1" });
  const { latency_ms: latency } = await record("snapshot-1");
  const page = await site.page("/network", { javaScriptEnabled: false });
  const shown = latency < 10 ? latency.toFixed(1) : latency.toFixed(0);
  assert.equal((await rows(page))[0], `relay.request ${alice.name} → ${bob.name} 200 ${shown}ms`);
  assert.deepEqual(await page.$$eval("#board li a", (links) => links.map((link) => link.textContent)), [alice.name, bob.name]);
  assert.match(await page.textContent("#state-text"), /^As of \d\d:\d\d:\d\d UTC$/);
  assert.equal(await page.isVisible("#pause"), false);
  assert.equal(await page.textContent("#attached"), "2");
  await page.context().close();
});

test("the feed can be paused and resumed, by keyboard", async () => {
  const page = await site.page("/network");
  await live(page);
  await until("the snapshot's rows", async () => (await rows(page)).length > 0);
  await page.focus("#pause");
  await page.keyboard.press("Enter");
  assert.equal(await page.getAttribute("#pause", "aria-pressed"), "true");
  const count = (await rows(page)).length;
  await bob.call(alice, { "x-request-id": "paused-1" });
  await until("the count of what waits", async () => (await page.textContent("#pause")) === "Resume (1 new)");
  assert.equal((await rows(page)).length, count);
  await page.keyboard.press("Space");
  await until("the row", async () => (await rows(page)).length === count + 1);
  assert.equal(await page.getAttribute("#pause", "aria-pressed"), "false");
  await page.context().close();
});

test("a screen reader hears a sentence now and then, not every row", async () => {
  const page = await site.page("/network");
  await live(page);
  await page.evaluate(() => {
    window.heard = [];
    const spoken = document.getElementById("spoken");
    new MutationObserver(() => window.heard.push(spoken.textContent)).observe(spoken, { childList: true });
  });
  assert.equal(await page.getAttribute("#spoken", "role"), "status");
  assert.equal(await page.$("#feed[aria-live], #feed[role=log]"), null);
  for (let n = 0; n < 20; n += 1) await bob.call(alice);
  await until("a sentence", () => page.evaluate(() => window.heard.length > 0));
  await page.waitForTimeout(2_000);
  const heard = await page.evaluate(() => window.heard);
  assert.ok(heard.length <= 2, heard.join("\n"));
  assert.match(heard[0], new RegExp(`^\\d+ calls?, the latest from ${bob.name} to ${alice.name}, status 200\\.$`));
  await page.context().close();
});

test("nothing moves for those who asked for that", async () => {
  const page = await site.page("/network", { reducedMotion: "reduce" });
  await live(page);
  const count = (await rows(page)).length;
  await bob.call(alice);
  await until("the row", async () => (await rows(page)).length > count);
  assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
  assert.equal(await page.$("#cords path"), null);
  await page.context().close();
});

test("a broken stream is said, and what was missed is caught up", async () => {
  const wire = await Wire.to(site.url);
  const page = await site.page(`${wire.url}/network`);
  await live(page);
  await wire.cut();
  const text = () => page.textContent("#state-text");
  await until("the news that the connection is lost", async () => (await text()).startsWith("Connection lost"));
  const carol = await site.agent("carol");
  await bob.call(carol);
  await carol.stop();
  await until("the record", async () => {
    const { events } = await site.json("/v1/relay/recent?limit=200");
    return events.some((event) => event.to_agent_id === carol.id);
  });
  assert.ok(!(await rows(page)).some((row) => row.includes(carol.name)));
  await wire.mend();
  await live(page);
  await until("the missed row", async () => (await rows(page)).some((row) => row.startsWith(`relay.request ${bob.name} → ${carol.name} 200 `)));
  await page.context().close();
  await wire.cut();
});
