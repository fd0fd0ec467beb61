# SPDX-License-Identifier: Apache-2.0
"""Jobs that several actors draw together: all start at once, rank 0 gathers, and a loss costs a new epoch, not the job."""

import os
import signal
import unittest

from fleet import HAS_ACTOR, MODELS, Fleet, hashes_of, manifest_of, wait_for

FAILED = 1


def prompts(count):
    return [word for index in range(count) for word in ("--prompt", f"word {index}")]


class GroupFleet(unittest.TestCase):
    """Two nodes of two echoing actors."""

    def setUp(self):
        self.fleet = Fleet()
        self.addCleanup(self.fleet.remove)
        self.sdctl = self.fleet.sdctl
        for name in ("node-a", "node-b"):
            self.fleet.start_agent(name, actors=2)
        self.fleet.wait_until_ready(4)

    def submit(self, count, delay_ms, *options):
        return self.sdctl("submit", *prompts(count), "--echo-delay-ms", delay_ms, *options).out.strip()

    def results(self, job, count):
        folder = self.fleet.path / job
        self.sdctl("fetch", job, "--out", folder)
        texts = {row["index"]: (folder / row["file"]).read_text() for row in manifest_of(folder)}
        self.assertEqual(texts, {index: f"word {index}" for index in range(count)})

    def watch(self, job, expect=0):
        self.sdctl("watch", job, expect=expect)

    def running(self, job, count):
        """Waits until so many actors are at it."""
        wait_for(lambda: sum(i["state"] == "running" for i in self.fleet.job(job)["items"]) >= count or None,
                 f"{count} running items")  # fmt: skip

    def starts_of(self, job):
        return self.fleet.log("coordinator").count(f"job {job}: 3 actors draw")


class Groups(GroupFleet):
    def test_all_of_a_group_start_together_and_rank_0_brings_everything_home(self):
        job = self.submit(7, 20, "--group", 3)
        self.watch(job)
        self.results(job, 7)
        self.assertEqual(self.starts_of(job), 1)
        items = self.fleet.job(job)["items"]
        self.assertEqual(len({i["actor"] for i in items}), 3, "the items are booked on those that drew them")
        self.assertEqual([i["attempts"] for i in items], [1] * 7)

    def test_more_items_than_a_run_holds_take_several_runs(self):
        job = self.submit(60, 1, "--group", 3)
        self.watch(job)
        self.results(job, 60)
        self.assertGreaterEqual(self.starts_of(job), 3)

    def test_fewer_items_than_members(self):
        job = self.submit(1, 1, "--group", 3)
        self.watch(job)
        self.results(job, 1)

    def test_a_group_waits_until_all_are_free_and_is_not_overtaken_for_ever(self):
        busy = self.submit(60, 200)
        group = self.submit(3, 1, "--group", 3)
        self.watch(group)
        self.assertNotEqual(self.fleet.job(busy)["state"], "done")
        self.watch(busy)

    def test_ranks_may_be_named(self):
        job = self.sdctl("submit", "--split", "rank", "--group", 2, "--echo-delay-ms", 1,
                         "--prompt", "1: b", "--prompt", "0: a", "--prompt", "1: c").out.strip()  # fmt: skip
        self.watch(job)
        actors = [i["actor"] for i in self.fleet.job(job)["items"]]
        self.assertEqual(actors[0], actors[2])
        self.assertNotEqual(actors[0], actors[1])


class Losses(GroupFleet):
    def actor_pids(self, name):
        return [a["pid"] for n in self.fleet.nodes() if n["node"] == name for a in n["actors"] if a["job"]]

    def test_a_killed_actor_costs_an_epoch_and_not_the_job(self):
        job = self.submit(12, 400, "--group", 3)
        self.running(job, 3)
        os.kill(self.actor_pids("node-a")[0], signal.SIGKILL)
        self.watch(job)
        self.results(job, 12)
        self.assertIn(f"job {job}: its group of 3 actors ends", self.fleet.log("coordinator"))
        self.assertGreaterEqual(self.starts_of(job), 2)

    def test_a_killed_node(self):
        job = self.submit(6, 400, "--group", 3)
        self.running(job, 3)
        self.fleet.kill("node-b", signal.SIGKILL)
        self.fleet.start_agent("node-b", actors=2)
        self.watch(job)
        self.results(job, 6)

    def test_an_actor_that_stands_still(self):
        job = self.submit(6, 300, "--group", 3)
        self.running(job, 3)
        pid = self.actor_pids("node-a")[0]
        os.kill(pid, signal.SIGSTOP)
        self.watch(job)
        self.results(job, 6)

    def test_a_killed_coordinator(self):
        job = self.submit(6, 400, "--group", 3)
        self.running(job, 3)
        self.fleet.kill("coordinator", signal.SIGKILL)
        self.fleet.start_coordinator()
        self.watch(job)
        self.results(job, 6)

    def test_cancelling_frees_all_members(self):
        job = self.submit(6, 60_000, "--group", 3)
        self.running(job, 3)
        self.sdctl("cancel", job)
        other = self.submit(4, 1, "--group", 4)
        self.watch(other)


class Misuse(GroupFleet):
    def test_a_group_that_the_fleet_cannot_hold(self):
        answer = self.sdctl("submit", *prompts(1), "--echo-delay-ms", 1, "--group", 5, expect=FAILED)
        self.assertIn("a group of 5 actors is wanted; the fleet has 4", answer.err)

    def test_nccl_where_there_is_no_gpu(self):
        answer = self.sdctl("submit", *prompts(1), "--model", "any", "--group", 2, "--gather", "nccl", expect=FAILED)
        self.assertIn("no node serves model 'any'", answer.err)


@unittest.skipUnless(HAS_ACTOR, "built without LibTorch")
class Pictures(unittest.TestCase):
    def test_the_bytes_are_those_of_actors_on_their_own(self):
        fleet = Fleet()
        self.addCleanup(fleet.remove)
        fleet.start_agent("node-a", actors=2, model=MODELS / "tiny-shapes")
        fleet.wait_until_ready(2)
        words = [w for text in ("a red circle", "a blue square", "a green triangle") for w in ("--prompt", text)]
        hashes = []
        for options in ((), ("--group", 2), ("--group", 2, "--gather", "zmq")):
            folder = fleet.path / f"out{len(hashes)}"
            fleet.sdctl("run", *words, "--steps", 2, "--out", folder, *options)
            hashes.append(hashes_of(folder))
        self.assertEqual(hashes[0], hashes[1])
        self.assertEqual(hashes[0], hashes[2])
        answer = fleet.sdctl("submit", *words, "--group", 2, "--gather", "nccl", expect=FAILED)
        self.assertIn("2 actors with a GPU of their own is wanted; the fleet has 0", answer.err)


if __name__ == "__main__":
    unittest.main()
