"""What came out: medians over the rounds, and ratios between servers."""

import statistics
from collections import defaultdict


class Results:
    def __init__(self):
        self.runs = defaultdict(list)
        self.commands = {}
        self.driver = ""
        self.repeated = []

    def add(self, shape, server, result, command):
        self.runs[shape.name, server].append(with_derived(result))
        self.commands.setdefault((shape.name, server), command)

    def has(self, shape, server):
        return (shape, server) in self.runs

    def each(self, shape, server, key):
        return [run[key] for run in self.runs[shape, server]]

    def median(self, shape, server, key):
        """None if the server says nothing of that kind."""
        values = [value for value in self.each_or_none(shape, server, key) if value is not None]
        return statistics.median(values) if values else None

    def each_or_none(self, shape, server, key):
        return [run.get(key) for run in self.runs[shape, server]] if self.has(shape, server) else []

    def ratio(self, shape, server, beside, key):
        one, other = self.median(shape, server, key), self.median(shape, beside, key)
        return one / other if one is not None and other else None

    def judge(self, goal):
        """The figure of a goal and whether it is reached; None if it was not measured."""
        figure = self.median(goal.shape, goal.server, goal.key)
        if goal.how == "ratio":
            figure = self.ratio(goal.shape, goal.server, goal.beside, goal.key)
        elif goal.how == "difference" and figure is not None:
            other = self.median(goal.shape, goal.beside, goal.key)
            figure = None if other is None else figure - other
        if figure is None:
            return None
        return figure, figure >= goal.bound if goal.at_least else figure <= goal.bound


def with_derived(run):
    """Adds figures that goals are about and the load generator does not print."""
    if line := run.get("server_cpu_us_per_line"):
        run["attaches_per_core_s"] = 1e6 / line
    if heartbeats := run.get("heartbeats_answered"):
        run["cpu_us_per_heartbeat"] = run["hold_cpu_us"] / heartbeats
    return run
