"""Medians, ratios, goals and the picture. Run by `tests/run`, or with `python3 -m unittest measure.tests` in bench/."""

import re
import unittest

from . import plot, profile, report
from .results import Results
from .rounds import Stage, shown_words, words
from .shapes import CPU, GOALS, LABELS, SHAPES, Goal

LOCK_STEP = SHAPES[0]


def results(**servers):
    """Results of the first shape: CPU of each round."""
    made = Results()
    for server, figures in servers.items():
        for figure in figures:
            made.add(LOCK_STEP, server, {CPU: figure, "calls_per_s": 1e6 / (figure or 1), "p50_us": 10}, f"load {server}")
    return made


class ResultsTest(unittest.TestCase):
    def test_a_ratio_is_that_of_the_usual_round(self):
        # The machine was slow in the second round and stumbled in the third.
        made = results(switch=[4, 10, 90], raw=[2, 5, 3])
        self.assertEqual(made.ratio("lock-step", "switch", "raw", CPU), 2)
        self.assertIsNone(made.ratio("lock-step", "switch", "nats", CPU))
        self.assertFalse(results(switch=[4], raw=[0]).judge(Goal("row", "lock-step", "switch", "raw", 2))[1])

    def test_a_goal_is_reached_at_its_bound_and_missed_beyond_it(self):
        at = Goal("row", "lock-step", "switch", "raw", 2)
        for cpu, met in [(4, True), (4.1, False)]:
            self.assertEqual(results(switch=[cpu], raw=[2]).judge(at)[1], met)
        rate = Goal("row", "lock-step", "switch", None, 250_000, "calls_per_s", "value", at_least=True)
        self.assertTrue(results(switch=[4]).judge(rate)[1])
        self.assertFalse(results(switch=[4.1]).judge(rate)[1])
        self.assertIsNone(results(raw=[2]).judge(at), "what was not measured is not judged")

    def test_what_a_difference_is_taken_from_may_be_zero(self):
        goal = Goal("row", "lock-step", "switch", "raw", 3, CPU, "difference")
        self.assertEqual(results(switch=[4], raw=[0]).judge(goal), (4, False))

    def test_figures_that_goals_are_about_are_derived(self):
        made = Results()
        made.add(LOCK_STEP, "switch", {"server_cpu_us_per_line": 125, "heartbeats_answered": 4, "hold_cpu_us": 40}, "")
        self.assertEqual(made.median("lock-step", "switch", "attaches_per_core_s"), 8_000)
        self.assertEqual(made.median("lock-step", "switch", "cpu_us_per_heartbeat"), 10)


class ShapesTest(unittest.TestCase):
    def test_every_goal_is_about_servers_of_its_shape(self):
        shapes = {shape.name: shape for shape in SHAPES}
        for goal in GOALS:
            servers = shapes[goal.shape].servers
            self.assertIn(goal.server, servers)
            self.assertTrue(goal.beside is None or goal.beside in servers, goal)
        for shape in SHAPES:
            self.assertIn(shape.ours, shape.servers)
            self.assertLessEqual(set(shape.servers), set(LABELS))

    def test_the_stage_knows_every_server(self):
        with self.assertRaises(ValueError):
            Stage(None).start("another")
        for server in {server for shape in SHAPES for server in shape.servers}:
            # There is no machine here: it gets as far as wanting one.
            with self.assertRaises(AttributeError):
                Stage(None).start(server)

    def test_callers_of_http_say_so_and_paths_of_the_run_are_not_shown(self):
        class Options:
            seconds, lines, hold, attaches = 1.0, 10, 2.0, 3
        self.assertEqual(words(LOCK_STEP, "switch-http", Options)[:2], ["--via", "http"])
        self.assertNotIn("--via", words(LOCK_STEP, "switch", Options))
        self.assertEqual(shown_words(["--url", "http://h:1", "--agents-file", "/a"]), ["--url", "URL"])


class PageTest(unittest.TestCase):
    def test_the_page_has_the_verdicts_and_the_commands(self):
        made = results(switch=[2, 3], raw=[2, 2])
        page = report.page(made, [LOCK_STEP], ["a machine"], "plot.svg")
        self.assertIn("| lock-step, CPU per message | switch ÷ raw | 1.25 | ≤ 1.15 | **missed** |", page)
        self.assertIn("load switch\n", page)
        self.assertIn("](plot.svg)", page)
        self.assertNotIn("nats-server", page, "it was not measured")

    def test_every_bar_ends_inside_the_picture(self):
        for figures in [(0.05, 0.06), (1, 9.99), (100_000, 141_058)]:
            drawn = plot.draw(results(switch=[figures[0]], raw=[figures[1]]), [LOCK_STEP])
            bars = re.findall(r'<rect x="(\d+)" y="[\d.]+" width="([\d.]+)" height="\d+" fill="#', drawn)
            self.assertEqual(len(bars), 2)
            for x, width in bars:
                self.assertTrue(0 < float(width) and float(x) + float(width) < plot.WIDTH - 70, figures)

    def test_the_marks_of_an_axis_are_few_and_reach_beyond_the_largest_value(self):
        for largest in [0.003, 0.3, 1, 5, 9.99, 10, 141_058]:
            marks = plot.steps(largest)
            self.assertTrue(3 <= len(marks) <= 8 and marks[-1] > largest, (largest, marks))


class ProfileTest(unittest.TestCase):
    TEXT = """\
core-0           ffffffff81a0 tcp_sendmsg_locked ([kernel.kallsyms])
core-0           55d0 landline_engine::engine::place::<impl landline_engine::engine::Engine>::place_offer (/tmp/x/landline)
core-0           55d1 <monoio::driver::op::Op<T> as core::future::future::Future>::poll (/tmp/x/landline)
core-0           55d2 aws_lc_0_47_0_aes_gcm_enc (/tmp/x/landline)
core-0           7f00 __memmove_avx512_unaligned_erms (/usr/lib/x86_64-linux-gnu/libc.so.6)
core-0           55d3 _rjem_je_tcache_bin_flush_small (/tmp/x/landline)
core-0           7fff __vdso_clock_gettime ([vdso])
spool            ffffffff81a1 ext4_write ([kernel.kallsyms])
a name           7f01 [unknown] (/tmp/x/landline)

"""

    def test_a_sample_belongs_to_the_thread_or_else_to_the_code(self):
        taken = profile.Profile(self.TEXT)
        self.assertEqual(taken.total, 9)
        self.assertEqual(dict(taken.parts), {"kernel": 1, "own": 2, "driver": 1, "crypto": 1, "libc": 3, "beside": 1})
        self.assertEqual(sum(taken.share(part) for part in profile.PARTS), 1)

    def test_the_kernel_and_other_threads_have_no_functions_of_ours(self):
        names = [name for name, _ in profile.Profile(self.TEXT).largest()]
        self.assertIn("landline_engine::engine::place::place_offer", names)
        self.assertFalse([name for name in names if "tcp" in name or "ext4" in name])

    def test_every_goal_that_is_a_share_of_time_has_its_row(self):
        rows = set(profile.ROWS)
        for goal in GOALS:
            server = "switch" if goal.server == "switch-http" and goal.key != CPU else goal.server
            shape = "lock-step" if goal.shape == "one" else goal.shape
            self.assertIn((shape, server), rows, goal.row)


if __name__ == "__main__":
    unittest.main()
