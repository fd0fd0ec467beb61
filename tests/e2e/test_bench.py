# SPDX-License-Identifier: Apache-2.0
"""That `sdctl bench` works; how fast anything is belongs to bench/."""

import unittest

from fleet import ECHO_ACTOR, Scratch


class Bench(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)

    def bench(self, measure, items):
        arguments = ["bench", "--local", 1, "--actor-bin", ECHO_ACTOR, "--measure", measure, "--items", items, "--json"]
        return self.scratch.sdctl(*arguments).json[measure]

    def test_dispatch_gives_positive_numbers(self):
        figures = self.bench("dispatch", 50)
        self.assertEqual(figures["items"], 50)
        for name in ("items_per_s", "jobs_of_one", "round_trip_p50_us", "round_trip_p99_us"):
            self.assertGreater(figures[name], 0, name)

    def test_a_long_queue_is_filled_listed_drawn_and_cancelled(self):
        figures = self.bench("queue", 1000)
        self.assertEqual(figures["items"], 1000)
        for phase in ("filling", "listing", "drawing", "cancelling"):
            self.assertGreater(figures[phase]["longest_pause_ms"], 0, phase)

    def test_nothing_stays_behind(self):
        self.bench("submit", 10)
        self.assertEqual(list(self.scratch.tmp.iterdir()), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
