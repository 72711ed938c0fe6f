// Makes the snapshot of /network follow what happens: rows and jacks from the event stream, figures from the statistics.
// The page is complete without this file. Nothing is loaded from elsewhere; text is only ever set as text.
"use strict";

(() => {
  const ROWS = 100; // rows kept in the feed
  const BARS = 96; // bars of the latency strip
  const FLUSH_MS = 200; // rows are added in batches, so that a busy relay costs no more than a quiet one
  const ANNOUNCE_MS = 6000; // a screen reader hears at most one sentence in this time
  const STATS_MS = 4000;
  const CORDS = 10; // cords on the board at once

  const page = document.getElementById("network");
  const api = page.dataset.api;
  const board = document.getElementById("board");
  const boardEmpty = document.getElementById("board-empty");
  const feed = document.getElementById("feed");
  const cords = document.getElementById("cords");
  const tape = document.getElementById("tape");
  const state = document.getElementById("state");
  const stateText = document.getElementById("state-text");
  const spoken = document.getElementById("spoken");
  const pause = document.getElementById("pause");
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

  const names = new Map(); // agent id -> name
  const asked = new Map(); // agent id -> promise of its name
  const seen = new Set(); // keys of calls that the feed has had
  let waiting = []; // events that are not in the feed yet
  let paused = false;

  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const number = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0));
  const grade = (status) => (status < 400 ? "good" : status < 500 ? "warn" : "bad");
  const key = (call) => [call.ts, call.request_id, call.from_agent_id, call.to_agent_id].join(" ");
  const get = async (path) => {
    const answer = await fetch(api + path, { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  // Names: known from the page and from events, else asked for once.
  const nameOf = (id) => (id === null ? "anonymous" : names.get(id) || id.slice(0, 8));
  const learn = (id) => {
    if (id === null || names.has(id)) return Promise.resolve();
    if (!asked.has(id)) {
      const question = get("/v1/agents/" + id).then((agent) => names.set(id, agent.name)).catch(() => names.set(id, id.slice(0, 8)));
      asked.set(id, question);
    }
    return asked.get(id);
  };

  // The board: one jack a line.
  const jackOf = (id) => board.querySelector('[data-id="' + CSS.escape(id) + '"]');
  const plugIn = (id, name) => {
    if (jackOf(id)) return;
    const jack = element("li", "jack up");
    jack.dataset.id = id;
    for (const part of ["lamp", "socket"]) {
      const drawn = element("span", part);
      drawn.setAttribute("aria-hidden", "true");
      jack.append(drawn);
    }
    const link = element("a", "", name);
    link.href = api + "/v1/agents/" + id;
    jack.append(link);
    const next = [...board.children].find((other) => other.querySelector("a").textContent.localeCompare(name) > 0);
    board.insertBefore(jack, next || null);
    boardEmpty.hidden = true;
  };
  const unplug = (id) => {
    const jack = jackOf(id);
    if (!jack) return;
    const kept = jack.contains(document.activeElement) ? jack.nextElementSibling || jack.previousElementSibling : null;
    jack.remove();
    if (kept) kept.querySelector("a").focus();
    boardEmpty.hidden = board.children.length > 0;
  };

  // A cord from caller to callee; a caller without a line comes in from the edge of the board.
  const patch = (call) => {
    const callee = jackOf(call.to_agent_id);
    if (calm.matches || !callee || document.hidden || cords.children.length >= CORDS) return;
    const frame = cords.getBoundingClientRect();
    const centre = (jack) => {
      const box = jack.querySelector(".socket").getBoundingClientRect();
      return [box.left + box.width / 2 - frame.left, box.top + box.height / 2 - frame.top];
    };
    const caller = call.from_agent_id && jackOf(call.from_agent_id);
    const to = centre(callee);
    const from = caller && caller !== callee ? centre(caller) : [to[0] - 40, frame.height];
    const across = Math.abs(from[0] - to[0]);
    // A cord hangs; between jacks of one column it would hang across everything between them, so it bows aside.
    const by = across < 40 ? (from[1] + to[1]) / 2 : Math.max(from[1], to[1]) + 26 + across / 5;
    const bx = (from[0] + to[0]) / 2 + (across < 40 ? 30 + Math.abs(from[1] - to[1]) / 3 : 0);
    const cord = document.createElementNS("http://www.w3.org/2000/svg", "path");
    cord.setAttribute("d", `M${from} Q${bx},${by} ${to}`);
    cord.setAttribute("pathLength", "1");
    if (call.status_code >= 500) cord.classList.add("bad");
    cord.addEventListener("animationend", () => cord.remove());
    cords.append(cord);
  };

  // The strip: bars from the newest calls, height on a logarithmic scale from 0.1 ms to 1 s.
  let bars = JSON.parse(tape.dataset.bars);
  const drawTape = () => {
    tape.replaceChildren(
      ...bars.map(([latency, status], index) => {
        const height = Math.min(46, Math.max(2, ((Math.log10(Math.max(latency, 0.1)) + 1) / 4) * 46));
        const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        bar.setAttribute("x", String((BARS - bars.length + index) * 6));
        bar.setAttribute("y", String(48 - height));
        bar.setAttribute("width", "4");
        bar.setAttribute("height", String(height));
        if (status >= 400) bar.setAttribute("class", grade(status));
        return bar;
      }),
    );
  };

  // The feed.
  const row = (event) => {
    const made = element("li", "new");
    const time = element("time", "", event.data.ts.slice(11, 19));
    time.dateTime = event.data.ts;
    const text = element("span", "text");
    text.append(element("span", "kind", event.kind), " ");
    if (event.kind === "relay.request") {
      text.append(element("span", "who", nameOf(event.data.from_agent_id)), " → ");
      text.append(element("span", "who", nameOf(event.data.to_agent_id)), " ");
      text.append(element("span", grade(event.data.status_code), String(event.data.status_code)), " ");
      text.append(number(event.data.latency_ms) + "ms");
    } else {
      text.append(element("span", "who", nameOf(event.data.agent_id)));
    }
    made.append(time, text);
    return made;
  };
  const flush = () => {
    if (paused || waiting.length === 0) return;
    const batch = waiting;
    waiting = [];
    feed.querySelector(".empty")?.remove();
    feed.prepend(...batch.map(row).reverse());
    while (feed.children.length > ROWS) feed.lastElementChild.remove();
    const calls = batch.filter((event) => event.kind === "relay.request").map((event) => event.data);
    if (calls.length > 0) {
      bars = bars.concat(calls.map((call) => [call.latency_ms, call.status_code])).slice(-BARS);
      drawTape();
      calls.slice(-CORDS).forEach(patch);
    }
    tell(batch);
  };
  const add = (kind, data) => {
    waiting.push({ kind, data });
    if (waiting.length > ROWS) waiting.shift();
    if (paused) label();
  };
  const addCall = async (call) => {
    if (seen.has(key(call))) return;
    seen.add(key(call));
    if (seen.size > 4 * ROWS) seen.delete(seen.values().next().value);
    if (!names.has(call.from_agent_id) || !names.has(call.to_agent_id)) {
      await Promise.all([learn(call.from_agent_id), learn(call.to_agent_id)]);
    }
    add("relay.request", call);
  };

  // One polite sentence now and then, not one a row.
  let toldAt = 0;
  let untold = [];
  let telling = 0;
  const tell = (batch) => {
    untold = untold.concat(batch).slice(-ROWS);
    if (telling) return;
    telling = window.setTimeout(() => {
      telling = 0;
      toldAt = Date.now();
      const calls = untold.filter((event) => event.kind === "relay.request");
      const last = calls.length > 0 ? calls[calls.length - 1].data : null;
      const parts = [];
      if (last) {
        parts.push(`${calls.length} ${calls.length === 1 ? "call" : "calls"}, the latest from ${nameOf(last.from_agent_id)} to ${nameOf(last.to_agent_id)}, status ${last.status_code}`);
      }
      const moved = untold.length - calls.length;
      if (moved > 0) parts.push(`${moved} ${moved === 1 ? "line" : "lines"} changed`);
      untold = [];
      spoken.textContent = parts.join("; ") + ".";
    }, Math.max(1000, ANNOUNCE_MS - (Date.now() - toldAt)));
  };

  const label = () => {
    pause.textContent = paused ? (waiting.length > 0 ? `Resume (${waiting.length} new)` : "Resume") : "Pause";
  };
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    label();
    flush();
  });

  // The figures.
  const show = (id, value) => {
    const gauge = document.getElementById(id);
    if (gauge.textContent !== value) gauge.textContent = value;
  };
  const stats = async () => {
    if (document.hidden) return;
    try {
      const now = await get("/v1/relay/stats");
      show("p50", now.p50_ms === null ? "–" : number(now.p50_ms) + " ms");
      show("p99", now.p99_ms === null ? "–" : number(now.p99_ms) + " ms");
      show("sample", String(now.sample));
      show("rate", number(now.calls_per_second));
      show("attached", String(now.attached));
    } catch {
      // The state line says that the relay is away; the figures stay as they were.
    }
  };

  // What happened between the snapshot (or a broken stream) and now.
  const catchUp = async () => {
    try {
      const [recent, online] = await Promise.all([get("/v1/relay/recent?limit=" + ROWS), get("/v1/agents/online?limit=200")]);
      for (const agent of online.items) names.set(agent.id, agent.name);
      const up = new Set(online.items.filter((agent) => agent.attached).map((agent) => agent.id));
      if (online.total <= online.items.length) {
        [...board.children].map((jack) => jack.dataset.id).filter((id) => !up.has(id)).forEach(unplug);
      }
      online.items.filter((agent) => agent.attached).forEach((agent) => plugIn(agent.id, agent.name));
      for (const call of recent.events.reverse()) await addCall(call);
    } catch {
      // The stream goes on by itself.
    }
  };

  const listen = () => {
    const stream = new EventSource(api + "/v1/events?topic=relay,agents");
    stream.addEventListener("open", () => {
      state.classList.add("live");
      stateText.textContent = "Live";
      catchUp();
      stats();
    });
    stream.addEventListener("error", () => {
      state.classList.remove("live");
      stateText.textContent = "Connection lost, trying again";
      if (stream.readyState === EventSource.CLOSED) window.setTimeout(listen, 5000 + Math.random() * 5000);
    });
    stream.addEventListener("relay.request", (event) => addCall(JSON.parse(event.data)));
    stream.addEventListener("agent.connect", (event) => {
      const data = JSON.parse(event.data);
      if (data.name) names.set(data.agent_id, data.name);
      plugIn(data.agent_id, nameOf(data.agent_id));
      add("agent.connect", data);
      show("attached", String(board.children.length));
    });
    stream.addEventListener("agent.disconnect", (event) => {
      const data = JSON.parse(event.data);
      if (data.name) names.set(data.agent_id, data.name);
      unplug(data.agent_id);
      add("agent.disconnect", data);
      show("attached", String(board.children.length));
    });
  };

  for (const jack of board.children) names.set(jack.dataset.id, jack.querySelector("a").textContent);
  for (const known of feed.querySelectorAll("[data-key]")) seen.add(known.dataset.key);
  for (const [id, name] of Object.entries(JSON.parse(feed.dataset.names))) names.set(id, name);
  pause.hidden = false;
  window.setInterval(flush, FLUSH_MS);
  window.setInterval(stats, STATS_MS);
  listen();
})();
