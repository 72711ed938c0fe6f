// An edition of the state report, as people read it: complete without script, its plots seen and described.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Site, until } from "./site.js";

const PLOTS = ["reach", "verdicts", "latency", "classes", "tiers", "tags"];

let site, alice, where;

before(async () => {
  site = await Site.open();
  alice = await site.agent("alice");
  assert.equal(await alice.call(alice), 200);
  await until("the record", async () => (await site.json("/v1/relay/recent?limit=1")).events.length === 1);
  const said = await site.run("report", "--publish");
  where = said.match(/\/state-of-a2a\/\d{4}-\d{2}/)[0];
});
after(() => site?.close());

test("an edition is found from the home page and read without script", async () => {
  const page = await site.page("/", { javaScriptEnabled: false });
  await page.click("text=State of A2A");
  assert.equal(new URL(page.url()).pathname, "/state-of-a2a/");
  await page.click(`a[href="${where}"]`);
  assert.match(await page.textContent("h1"), /^State of A2A, \w+ \d{4}$/);
  const row = (name) => page.$$eval("tr", (rows, name) => rows.map((row) => row.innerText.split("\t").map((cell) => cell.trim())).find(([first]) => first === name), name);
  assert.deepEqual((await row("attached by a line, of all")).slice(1, 4), ["1", "1", "100.0\u00a0%"]);
  assert.deepEqual((await row("answered")).slice(1, 3), ["1", "1"]);
  const unknown = await row("with a signature that was verified");
  assert.equal(unknown[1], "–");
  assert.ok(unknown.at(-1).length > 10, "what is not known has a reason");
  assert.equal(await page.$$eval("h2", (found) => found.some((heading) => heading.textContent === "Definitions")), true);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

for (const colorScheme of ["light", "dark"]) {
  test(`every plot is there, described, and drawn for a ${colorScheme} page`, async () => {
    const page = await site.page(where, { colorScheme });
    const images = await page.$$eval("article img", (found) => found.map(({ src, alt, naturalWidth }) => ({ name: new URL(src).pathname, alt, naturalWidth })));
    assert.deepEqual(images.map(({ name }) => name), PLOTS.map((plot) => `${where}-${plot}.svg`));
    assert.ok(images.every(({ alt, naturalWidth }) => alt.length > 10 && naturalWidth > 100), JSON.stringify(images));
    await page.goto(`${site.url}${where}-reach.svg`);
    const plot = await page.evaluate(() => {
      const colour = (selector) => getComputedStyle(document.querySelector(selector)).fill.match(/[\d.]+/g).map(Number);
      const luminance = (rgb) => {
        const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = luminance(colour(".ground"));
      const ratio = (selector) => {
        const ink = luminance(colour(selector));
        return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
      };
      const text = (selector) => document.querySelector(selector).textContent;
      return { ground, text: ratio(".text"), soft: ratio(".soft"), bar: ratio(".bar"), title: text("title"), desc: text("desc") };
    });
    assert.equal(plot.ground > 0.5, colorScheme === "light");
    assert.ok(plot.text >= 4.5 && plot.soft >= 4.5 && plot.bar >= 3, JSON.stringify(plot));
    assert.ok(plot.title.length > 10 && plot.desc.includes("1 of 1"), JSON.stringify(plot));
    assert.deepEqual(page.complaints.filter((text) => !text.includes("favicon")), []);
    await page.context().close();
  });
}

test("the keyboard reaches every table that may scroll, in order", async () => {
  const page = await site.page(where);
  const regions = await page.$$("article .scroll");
  const reached = [];
  for (let n = 0; n < regions.length + 12; n += 1) {
    await page.keyboard.press("Tab");
    const place = await page.evaluate(() => [...document.querySelectorAll("article .scroll")].indexOf(document.activeElement));
    if (place >= 0) reached.push(place);
  }
  assert.deepEqual(reached, regions.map((_, n) => n));
  await page.context().close();
});
