// A real server with real agents, and a browser to look at it.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const program = process.env.LANDLINE_BIN || path.join(root, "target/debug/landline");

const READY_MS = 30_000;

/** Waits until `look` gives something true; every wait here ends. */
export async function until(what, look, ms = 15_000) {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

class Program {
  constructor(args) {
    this.out = "";
    this.log = "";
    const env = { PATH: process.env.PATH, HOME: tmpdir() };
    this.child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.child.stdout.on("data", (data) => (this.out += data));
    this.child.stderr.on("data", (data) => (this.log += data));
    this.child.on("error", (error) => (this.log += `${program}: ${error.message}\n`));
    this.ended = new Promise((resolve) => this.child.on("close", resolve));
  }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill("SIGTERM");
      const late = setTimeout(() => this.child.kill("SIGKILL"), 10_000);
      await this.ended;
      clearTimeout(late);
    }
  }
}

/** An agent that answers every call with what it said. */
class Agent {
  constructor(site, name) {
    this.site = site;
    this.file = path.join(site.folder, `${name}.json`);
    this.program = new Program(["agent", "echo", "--name", name, "--identity", this.file, "--url", site.url]);
  }

  async ready() {
    const identity = await until(`the identity ${this.file}`, async () => {
      try {
        return JSON.parse(await readFile(this.file, "utf8"));
      } catch {
        return null;
      }
    });
    this.id = identity.id;
    this.key = identity.api_key;
    await until(`the line of ${this.file}: ${this.program.log}`, async () => {
      const row = await this.site.json(`/v1/agents/${this.id}`);
      this.name = row.name;
      return row.attached;
    });
    return this;
  }

  /** Calls another agent and gives the status. */
  async call(callee, headers = {}) {
    const answer = await fetch(`${this.site.url}/connect/relay/${callee.id}`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.key}`, "content-type": "application/json", ...headers },
      body: JSON.stringify({ hello: this.name }),
    });
    await answer.arrayBuffer();
    return answer.status;
  }

  stop() {
    return this.program.stop();
  }
}

/** A wire between browser and server that can be cut and mended. */
export class Wire {
  static async to(url) {
    const wire = new Wire();
    wire.target = Number(new URL(url).port);
    wire.sockets = new Set();
    await wire.listen(0);
    return wire;
  }

  async listen(port) {
    this.server = net.createServer((near) => {
      const far = net.connect(this.target, "127.0.0.1");
      for (const [socket, other] of [[near, far], [far, near]]) {
        this.sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => {
          this.sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
    await new Promise((resolve) => this.server.listen(port, "127.0.0.1", resolve));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  async cut() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  mend() {
    return this.listen(this.port);
  }
}

export class Site {
  static async open() {
    const site = new Site();
    site.folder = await mkdtemp(path.join(tmpdir(), "landline-browser-"));
    const args = ["up", "--listen", "127.0.0.1:0", "--data", path.join(site.folder, "data"), "--rate-limits", "off"];
    site.server = new Program(args);
    site.agents = [];
    try {
      const ready = await until(
        "the server",
        () => {
          if (site.server.child.exitCode !== null) throw new Error(`the server ended: ${site.server.log}`);
          return site.server.out.match(/^ready (http:\S+)$/m);
        },
        READY_MS,
      );
      site.url = ready[1];
      const options = { executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] };
      site.browser = await chromium.launch(options);
    } catch (error) {
      await site.close();
      throw error;
    }
    return site;
  }

  async agent(name) {
    const agent = new Agent(this, name);
    this.agents.push(agent);
    return agent.ready();
  }

  /** Runs a command of the program beside the server, to its end. */
  async run(...args) {
    const program = new Program([...args, "--data", path.join(this.folder, "data")]);
    const code = await program.ended;
    if (code !== 0) throw new Error(`${args.join(" ")}: ${code} ${program.log}`);
    return program.log;
  }

  async json(below) {
    const answer = await fetch(`${this.url}/connect${below}`);
    if (!answer.ok) throw new Error(`${below}: ${answer.status}`);
    return answer.json();
  }

  /** A page whose every complaint is kept in `page.complaints`. */
  async page(where, options = {}) {
    const context = await this.browser.newContext(options);
    const page = await context.newPage();
    page.complaints = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) page.complaints.push(message.text());
    });
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    page.on("requestfailed", (request) => {
      // A stream that is open when its page goes away has not failed.
      if (!request.url().includes("/v1/events")) page.complaints.push(`${request.url()} failed`);
    });
    page.on("response", (response) => {
      if (response.status() >= 400) page.complaints.push(`${response.url()} ${response.status()}`);
    });
    await page.goto(where.startsWith("http") ? where : this.url + where);
    return page;
  }

  async close() {
    await this.browser?.close();
    for (const agent of this.agents) await agent.stop();
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
