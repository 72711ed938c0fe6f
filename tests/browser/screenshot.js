// Takes the README's picture of /network from real calls between real agents: npm run screenshot
import path from "node:path";
import { Site, root, until } from "./site.js";

const NAMES = ["alice", "bob", "cartographer", "ledger", "night-watch", "quill", "translator", "weather"];
const CALLS = 90;

const site = await Site.open();
try {
  const agents = [];
  for (const name of NAMES) agents.push(await site.agent(name));
  const page = await site.page("/network", { viewport: { width: 1280, height: 1040 }, deviceScaleFactor: 2, colorScheme: "light" });
  await page.waitForFunction(() => document.getElementById("state-text").textContent === "Live");
  for (let n = 0; n < CALLS; n += 1) {
    const [caller, callee] = [agents[(n * 5 + 1) % agents.length], agents[(n * 3 + (n % 7)) % agents.length]];
    await caller.call(callee, { "x-a2a-method": "message/send" });
  }
  await until("the rows", async () => (await page.$$("#feed li")).length >= CALLS);
  await page.waitForTimeout(4_500);
  await Promise.all([agents[0].call(agents[5]), agents[6].call(agents[2])]);
  await page.waitForTimeout(1_100);
  await page.screenshot({ path: process.argv[2] || path.join(root, "docs/images/network.png") });
} finally {
  await site.close();
}
