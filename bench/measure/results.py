"""What came out: medians over the rounds, and ratios between servers."""

import math
import operator
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
        """The figure of each round; none if the server says nothing of that kind, or was not measured."""
        runs = self.runs[shape, server] if self.has(shape, server) else []
        values = [run.get(key) for run in runs]
        return [] if None in values else values

    def median(self, shape, server, key):
        values = self.each(shape, server, key)
        return statistics.median(values) if values else None

    def between(self, combine, shape, server, beside, key):
        """The median of what is between two servers in each round. What slows the machine for a while slows both."""
        rounds = list(zip(self.each(shape, server, key), self.each(shape, beside, key)))
        return statistics.median(combine(one, other) for one, other in rounds) if rounds else None

    def ratio(self, shape, server, beside, key):
        return self.between(quotient, shape, server, beside, key)

    def judge(self, goal):
        """The figure of a goal and whether it is reached; None if it was not measured."""
        if goal.how == "value":
            figure = self.median(goal.shape, goal.server, goal.key)
        else:
            combine = {"ratio": quotient, "difference": operator.sub}[goal.how]
            figure = self.between(combine, goal.shape, goal.server, goal.beside, goal.key)
        if figure is None:
            return None
        return figure, figure >= goal.bound if goal.at_least else figure <= goal.bound


def quotient(one, other):
    # A part so short that the clock of CPU time did not tick.
    return one / other if other else math.inf


def with_derived(run):
    """Adds figures that goals are about and the load generator does not print."""
    if line := run.get("server_cpu_us_per_line"):
        run["attaches_per_core_s"] = 1e6 / line
    if heartbeats := run.get("heartbeats_answered"):
        run["cpu_us_per_heartbeat"] = run["hold_cpu_us"] / heartbeats
    return run
