"""The page: conditions, goals, a table for each shape, and the commands."""

import time

from .shapes import CPU, GOALS, LABELS

NOTES = {
    "one-way": "The agents' protocol has no message without an answer: on the switch and on tokio-tungstenite each is a "
               "call whose answer is empty, and costs that too; on NATS it is published, and nothing comes back.",
    "across": "The server has both cores, and the load shares them.",
    "stream": "On NATS parts are messages to the inbox of a request. A message is a part, or what asked for them.",
    "attach": "CPU of the switch only: what the exchange does for a session, which is more, is not in it. nats-server asks "
              "nobody who it is.",
}


# A scenario's rate: what it is called, and the load generator's key.
RATES = {
    "calls": ("calls/s", "calls_per_s"),
    "mixed": ("calls/s", "calls_per_s"),
    "oneway": ("messages/s", "messages_per_s"),
    "stream": ("parts/s", "parts_per_s"),
    "storm": ("lines/s", "lines_back_per_s"),
}


def bound(goal):
    return f"{'≥' if goal.at_least else '≤'} {goal.bound:,g}{goal.unit}"


def figure(goal, value):
    return f"{value:.2f}" if goal.how == "ratio" else f"{value:,.0f}{goal.unit}"


def against(goal):
    return {"ratio": f"{goal.server} ÷ {goal.beside}", "difference": f"{goal.server} − {goal.beside}",
            "value": goal.server}[goal.how]


def judged(results):
    return [(goal, verdict) for goal in GOALS if (verdict := results.judge(goal)) is not None]


def goals(results):
    """The goals as plain lines."""
    return [f"{'met   ' if met else 'MISSED'}  {goal.row}: {against(goal)} = {figure(goal, value)}, goal {bound(goal)}"
            for goal, (value, met) in judged(results)]


def goal_table(results):
    rows = ["| goal | measured | figure | bound | |", "|---|---|---|---|---|"]
    for goal, (value, met) in judged(results):
        verdict = "met" if met else "**missed**"
        rows.append(f"| {goal.row} | {against(goal)} | {figure(goal, value)} | {bound(goal)} | {verdict} |")
    return [*rows, ""]


def number(value, digits=0):
    return "" if value is None else f"{value:,.{digits}f}"


def shape_table(results, shape):
    digits = 2 if shape.key == CPU else 0
    rate, rate_key = RATES[shape.scenario]
    rows = [f"| | {shape.unit} | Landline ÷ this | each round | {rate} | p50 µs | p99 µs |",
            "|---|---|---|---|---|---|---|"]
    for server in shape.servers:
        if not results.has(shape.name, server):
            continue
        median = lambda key: results.median(shape.name, server, key)
        each = " ".join(number(value, digits) for value in results.each(shape.name, server, shape.key))
        ratio = results.ratio(shape.name, shape.ours, server, shape.key)
        rows.append(f"| {LABELS[server]} | {number(median(shape.key), digits)} | {number(ratio, 2)} | {each} "
                    f"| {number(median(rate_key))} | {number(median('p50_us'))} | {number(median('p99_us'))} |")
    return [*rows, ""]


def idle_table(results, shape):
    rows = ["| | bytes per line | Landline ÷ this | lines | µs of CPU per heartbeat | µs of CPU per line and second |",
            "|---|---|---|---|---|---|"]
    for server in shape.servers:
        if results.has(shape.name, server):
            median = lambda key: results.median(shape.name, server, key)
            ratio = results.ratio(shape.name, shape.ours, server, shape.key)
            rows.append(f"| {LABELS[server]} | {number(median(shape.key))} | {number(ratio, 2)} "
                        f"| {number(median('lines_at_end'))} | {number(median('cpu_us_per_heartbeat'), 1)} "
                        f"| {number(median('cpu_us_per_line_s'), 2)} |")
    return [*rows, ""]


def commands(results, shape):
    seen = dict.fromkeys(command for (name, _), command in results.commands.items() if name == shape.name)
    return ["```", *seen, "```", ""]


def page(results, shapes, conditions, picture):
    lines = [f"# Measured on {time.strftime('%F', time.gmtime())}", ""]
    lines += [f"- {condition}" for condition in conditions]
    lines += [
        f"- switches ({results.driver}) with authentication, limits, call table and audit on; the exchange runs beside "
        "them, and its CPU time is not counted",
        "- a ratio is the median of each round's: what slows the machine for a while slows all servers of a round",
        "- CPU is the server process's user and system time, divided by the messages it relayed; a call is two messages",
        "",
        "Compare ratios within this page, not figures of two. [How this is measured](README.md).",
        "",
    ]
    if results.repeated:
        lines += [f"Measured twice, because the first time failed: {'; '.join(results.repeated)}.", ""]
    if picture:
        lines += [f"![CPU per message, for each load and server]({picture})", ""]
    lines += ["## Goals", "", *goal_table(results)]
    for shape in shapes:
        lines += [f"## {shape.title[0].upper()}{shape.title[1:]}", ""]
        if shape.name in NOTES:
            lines += [NOTES[shape.name], ""]
        lines += idle_table(results, shape) if shape.scenario == "idle" else shape_table(results, shape)
        lines += commands(results, shape)
    return "\n".join(lines)
