# SPDX-License-Identifier: Apache-2.0
"""Actors that draw several items at once, without drawing: echoes, which take their steps side by side."""

import os
import signal
import unittest

from fleet import Fleet, children_of, manifest_of, wait_for

BATCH = 4


def echo(count, delay_ms, name="word"):
    texts = [word for index in range(count) for word in ("--prompt", f"{name} {index}")]
    return [*texts, "--echo-delay-ms", delay_ms]


class Batches(unittest.TestCase):
    def setUp(self):
        self.fleet = Fleet()
        self.addCleanup(self.fleet.remove)
        self.sdctl = self.fleet.sdctl
        self.agent = self.fleet.start_agent("node-a", max_batch=BATCH)
        self.fleet.wait_until_ready(1)

    def submit(self, *arguments):
        return self.sdctl("submit", *arguments).out.strip()

    def wait_until_drawn(self, *jobs, items):
        """Until so many items have taken a step and none has ended."""
        def count():
            return sum(item["step"] > 0 for job in jobs for item in self.fleet.job(job)["items"])

        wait_for(lambda: count() == items, f"{items} items side by side")

    def texts_of(self, job):
        out = self.fleet.path / job
        self.sdctl("fetch", job, "--out", out)
        return [(out / row["file"]).read_text() for row in manifest_of(out)]

    def test_one_actor_draws_four_items_at_once_and_a_fifth_waits(self):
        job = self.submit(*echo(6, 3_000))
        self.wait_until_drawn(job, items=BATCH)
        actor = self.fleet.nodes()[0]["actors"][0]
        self.assertEqual((actor["max_batch"], actor["in_flight"]), (BATCH, BATCH + 1))
        self.assertEqual(self.sdctl("top", "--once", "--json").json["items"]["batched"], BATCH)
        self.sdctl("watch", job)
        self.assertEqual(self.texts_of(job), [f"word {index}" for index in range(6)])
        self.assertEqual([item["attempts"] for item in self.fleet.job(job)["items"]], [1] * 6)

    def test_a_job_that_is_cancelled_leaves_the_batch_and_the_others_stay(self):
        stays = self.submit(*echo(3, 5_000))
        goes = self.submit(*echo(1, 5_000, "other"))
        self.wait_until_drawn(stays, goes, items=BATCH)
        self.sdctl("cancel", goes)
        self.sdctl("watch", goes, expect=4)
        self.sdctl("watch", stays)
        self.assertEqual(self.texts_of(stays), [f"word {index}" for index in range(3)])
        self.assertEqual([item["attempts"] for item in self.fleet.job(stays)["items"]], [1] * 3)

    def test_what_a_killed_actor_had_is_drawn_elsewhere_once(self):
        job = self.submit(*echo(BATCH, 3_000))
        self.wait_until_drawn(job, items=BATCH)
        self.fleet.start_agent("node-b", max_batch=BATCH)
        self.fleet.wait_until_ready(2)
        os.kill(children_of(self.agent.pid)[0], signal.SIGKILL)
        self.sdctl("watch", job)
        self.assertEqual(self.texts_of(job), [f"word {index}" for index in range(BATCH)])
        self.assertEqual([item["attempts"] for item in self.fleet.job(job)["items"]], [2] * BATCH)


if __name__ == "__main__":
    unittest.main()
