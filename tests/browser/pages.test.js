// What every page owes its readers: no complaint of the browser, an order for the keyboard, contrast, room on a phone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Site, until } from "./site.js";

const PAGES = ["/", "/network", "/docs/", "/docs/api", "/docs/HTTP_API", "/docs/RELAY_WIRE_PROTOCOL", "/errors/", "/errors/name_taken", "/state-of-a2a/"];
const AA = 4.5;

let site, alice, bob;

before(async () => {
  site = await Site.open();
  alice = await site.agent("alice");
  bob = await site.agent("an-agent-with-quite-a-long-name-that-has-to-wrap-somewhere");
  assert.equal(await bob.call(alice), 200);
  // A call that fails, so that the colours of both kinds of status are on the page.
  const carol = await site.agent("carol");
  await carol.stop();
  await until("a call that fails", async () => (await bob.call(carol)) === 404);
  await until("the records", async () => (await site.json("/v1/relay/recent?limit=10")).events.length >= 2);
  const said = await site.run("report", "--publish");
  PAGES.push(said.match(/\/state-of-a2a\/\d{4}-\d{2}/)[0]);
});
after(() => site?.close());

test("the browser has nothing to complain about", async () => {
  for (const where of PAGES) {
    const page = await site.page(where);
    await page.waitForTimeout(300);
    assert.deepEqual(page.complaints, [], where);
    assert.equal(await page.$$eval("h1", (found) => found.length), 1, where);
    assert.ok(await page.title(), where);
    for (const landmark of ["header", "nav[aria-label]", "main", "footer"]) {
      assert.equal((await page.$$(`body ${landmark}`)).length, 1, `${where}: ${landmark}`);
    }
    await page.context().close();
  }
});

test("the keyboard goes through the page in reading order, and one sees where it is", async () => {
  const page = await site.page("/network");
  await page.waitForFunction(() => document.getElementById("state-text").textContent === "Live");
  const stops = [];
  for (let n = 0; n < 12; n += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const at = document.activeElement;
      const style = getComputedStyle(at);
      const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
      return { text: at.textContent.trim(), seen, in: at.getBoundingClientRect().top >= -1 };
    });
    stops.push(stop);
  }
  const expected = ["Skip to the content", "Landline", "Network", "Docs", "Errors", alice.name, bob.name, "Pause", "For agents"];
  assert.deepEqual(stops.slice(0, expected.length).map((stop) => stop.text), expected);
  assert.ok(stops.slice(0, expected.length).every((stop) => stop.seen && stop.in), JSON.stringify(stops));
  await page.reload();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.context().close();
});

/** Every visible text's colour against the first opaque ground behind it, as WCAG 2 computes it. */
function contrasts() {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const linear = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest(".quiet, .skip, script, style")) continue;
    const [a, b] = [luminance(rgba(getComputedStyle(element).color)), luminance(ground(element))];
    found.push({ text: text.slice(0, 40), ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) });
  }
  return found;
}

for (const colorScheme of ["light", "dark"]) {
  test(`every text can be read on its ground (${colorScheme})`, async () => {
    for (const where of PAGES) {
      const page = await site.page(where, { colorScheme, reducedMotion: "reduce" });
      const found = await page.evaluate(contrasts);
      assert.ok(found.length > 10, where);
      const faint = found.filter(({ ratio }) => ratio < AA);
      assert.deepEqual(faint, [], `${where} ${colorScheme}`);
      await page.context().close();
    }
  });
}

test("the two themes differ", async () => {
  const ground = async (colorScheme) => {
    const page = await site.page("/network", { colorScheme });
    const colour = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.context().close();
    return colour;
  };
  assert.notEqual(await ground("light"), await ground("dark"));
});

for (const width of [320, 390, 768]) {
  test(`nothing sticks out at a width of ${width}`, async () => {
    for (const where of PAGES) {
      const page = await site.page(where, { viewport: { width, height: 800 } });
      const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      assert.ok(content <= room, `${where}: ${content} > ${room}`);
      await page.context().close();
    }
  });
}
