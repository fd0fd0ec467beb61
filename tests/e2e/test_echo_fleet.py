# SPDX-License-Identifier: Apache-2.0
"""The runtime without drawing: jobs of the echo kind through a real coordinator, agents, actors and sdctl."""

import hashlib
import os
import resource
import signal
import time
import unittest

from fleet import Fleet, children_of, is_running, manifest_of, wait_for


def prompts(count):
    return [word for index in range(count) for word in ("--prompt", f"word {index}")]


def echo(count, delay_ms):
    return [*prompts(count), "--echo-delay-ms", delay_ms]


class EchoFleet(unittest.TestCase):
    coordinator_options = ()

    def setUp(self):
        self.fleet = Fleet(*self.coordinator_options)
        self.addCleanup(self.fleet.remove)
        self.sdctl = self.fleet.sdctl
        self.out = self.fleet.path / "out"

    def texts(self):
        return [(self.out / row["file"]).read_text() for row in manifest_of(self.out)]


class Jobs(EchoFleet):
    def setUp(self):
        super().setUp()
        self.fleet.start_agent("node-a", actors=2)
        self.fleet.wait_until_ready(2)

    def test_a_job_is_submitted_watched_shown_and_fetched(self):
        job = self.sdctl("submit", *echo(5, 10)).out.strip()
        self.assertRegex(job, "^[a-z0-9]{12}$")
        events = self.sdctl("watch", job, "--json").json_lines
        self.assertEqual(events[-1]["event"], "job")
        self.assertEqual(events[-1]["state"], "done")
        self.assertEqual({event["index"] for event in events if event["event"] == "item"}, set(range(5)))
        self.assertEqual([item["state"] for item in self.fleet.job(job)["items"]], ["done"] * 5)
        self.assertEqual([row["job"] for row in self.sdctl("jobs", "--json").json["jobs"]], [job])
        self.sdctl("fetch", job, "--out", self.out)
        self.assertEqual(self.texts(), [f"word {index}" for index in range(5)])
        row = manifest_of(self.out)[3]
        self.assertEqual(row["sha256"], hashlib.sha256(b"word 3").hexdigest())
        self.assertEqual(row["node"], "node-a")

    def test_a_submit_may_be_repeated_but_not_with_other_content(self):
        self.sdctl("submit", *echo(2, 0), "--job-id", "monday")
        self.sdctl("submit", *echo(2, 0), "--job-id", "monday")
        self.assertEqual(self.sdctl("jobs", "--json").json["total"], 1)
        self.assertIn("monday", self.sdctl("submit", *echo(3, 0), "--job-id", "monday", expect=1).err)

    def test_a_cancelled_job_stops_and_what_it_has_can_be_fetched(self):
        job = self.sdctl("submit", *echo(50, 100)).out.strip()
        wait_for(lambda: self.fleet.job(job)["done"] >= 2, "two results")
        self.assertEqual(self.sdctl("cancel", job, "--json").json["state"], "cancelled")
        self.sdctl("watch", job, expect=4)
        self.sdctl("fetch", job, "--out", self.out, expect=4)
        self.assertGreaterEqual(sum("file" in row for row in manifest_of(self.out)), 2)
        wait_for(lambda: all(a["in_flight"] == 0 for n in self.fleet.nodes() for a in n["actors"]), "idle actors")

    def test_fetch_brings_what_is_done_and_says_what_is_missing(self):
        job = self.sdctl("submit", *echo(40, 100)).out.strip()
        wait_for(lambda: self.fleet.job(job)["done"] >= 1, "a result")
        self.assertIn("not drawn yet", self.sdctl("fetch", job, "--out", self.out).err)
        self.sdctl("watch", job)
        self.assertIn("40 of 40", self.sdctl("fetch", job, "--out", self.out).err)
        self.assertEqual(len(self.texts()), 40)

    def test_fetch_leaves_the_pictures_of_other_jobs_alone(self):
        self.sdctl("run", *echo(2, 0), "--out", self.out)
        job = self.sdctl("submit", "--prompt", "other", "--echo-delay-ms", 0).out.strip()
        self.assertIn("another job", self.sdctl("fetch", job, "--out", self.out, expect=2).err)

    def test_run_draws_only_what_is_missing(self):
        self.sdctl("run", *echo(8, 0), "--out", self.out)
        for name in ("000002-2.bin", "000005-5.bin"):
            (self.out / name).unlink()
        again = self.sdctl("run", *echo(8, 0), "--out", self.out, "--json")
        self.assertIn("6 of 8 already there", again.err)
        self.assertEqual(again.json["kept"], 6)
        self.assertEqual(self.texts(), [f"word {index}" for index in range(8)])
        self.assertEqual(self.fleet.job(again.json["job"])["total"], 2)
        self.assertEqual(self.sdctl("run", *echo(8, 0), "--out", self.out, "--json").json["job"], "")

    def test_a_damaged_file_or_manifest_line_is_drawn_again(self):
        self.sdctl("run", *echo(3, 0), "--out", self.out)
        (self.out / "000001-1.bin").write_text("damaged")
        with open(self.out / "manifest.jsonl", "a") as manifest:
            manifest.write('{"index":2,"prompt":"wo')
        self.sdctl("run", *echo(3, 0), "--out", self.out)
        self.assertEqual(self.texts(), ["word 0", "word 1", "word 2"])

    def test_explicit_ranks_are_obeyed(self):
        texts = [word for text in ("1: b", "0: a", "1: c") for word in ("--prompt", text)]
        self.sdctl("run", *texts, "--split", "rank", "--echo-delay-ms", 1, "--out", self.out)
        self.assertEqual([row["actor"] for row in manifest_of(self.out)], ["node-a/1", "node-a/0", "node-a/1"])
        self.assertEqual(self.texts(), ["b", "a", "c"])

    def test_contiguous_shares_are_those_of_accelerate(self):
        self.sdctl("run", *echo(7, 1), "--split", "contiguous", "--out", self.out)
        actors = [row["actor"] for row in manifest_of(self.out)]
        self.assertEqual(actors, ["node-a/0"] * 4 + ["node-a/1"] * 3)

    def test_the_first_ctrl_c_cancels_the_job_and_keeps_what_is_there(self):
        process = self.fleet.sdctl_process("run", *echo(60, 100), "--out", self.out, "--job-id", "long")
        wait_for(lambda: list(self.out.glob("*.bin")), "a first result")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("cancelling job long", err)
        self.assertEqual(self.fleet.job("long")["state"], "cancelled")
        self.assertGreaterEqual(len(out.splitlines()), 1)

    def test_an_unknown_job_is_a_failure_with_its_name(self):
        for command in (["watch", "nope"], ["job", "nope"], ["cancel", "nope"], ["fetch", "nope", "--out", self.out]):
            self.assertIn("nope", self.sdctl(*command, expect=1).err)

    def test_what_no_node_can_do_is_rejected_at_once(self):
        err = self.sdctl("run", "--prompt", "x", "--model", "unknown-model", "--out", self.out, expect=1).err
        self.assertIn("unknown-model", err)
        err = self.sdctl("run", "--prompt", "5: x", "--split", "rank", "--echo-delay-ms", 1, "--out", self.out, expect=1).err
        self.assertIn("rank 5", err)

    def test_without_any_model_run_says_how_to_serve_one(self):
        self.assertIn("--model NAME=DIR", self.sdctl("run", "--prompt", "x", "--out", self.out, expect=1).err)

    def test_when_the_folder_cannot_be_made_the_job_goes_on(self):
        blocked = self.fleet.write("file", "not a folder") / "out"
        err = self.sdctl("run", *echo(3, 0), "--job-id", "stays", "--out", blocked, expect=1).err
        self.assertIn("sdctl fetch stays --out DIR", err)
        self.sdctl("watch", "stays")
        self.sdctl("fetch", "stays", "--out", self.out)
        self.assertEqual(len(self.texts()), 3)

    def test_when_the_disk_is_full_the_job_goes_on(self):
        def refuse_large_files():  # stands for a full disk
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

        arguments = ["run", *echo(3, 0), "--echo-bytes", 100_000, "--job-id", "stays", "--out", self.out]
        err = self.sdctl(*arguments, expect=1, preexec_fn=refuse_large_files).err
        self.assertIn("sdctl fetch stays --out DIR", err)
        self.sdctl("watch", "stays")
        self.sdctl("fetch", "stays", "--out", self.out)
        self.assertEqual([len(text) for text in self.texts()], [100_000] * 3)
        self.assertEqual([path.name for path in self.out.iterdir() if path.name.startswith(".")], [])


class Faults(EchoFleet):
    def test_a_killed_agents_work_is_done_by_the_other(self):
        self.fleet.start_agent("node-a", actors=2)
        self.fleet.start_agent("node-b", actors=2)
        self.fleet.wait_until_ready(4)
        process = self.fleet.sdctl_process("run", *echo(60, 100), "--out", self.out)
        wait_for(lambda: list(self.out.glob("*.bin")), "a first result")
        self.fleet.kill("node-b")
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(self.texts(), [f"word {index}" for index in range(60)])

    def test_a_killed_actors_work_is_done_again(self):
        agent = self.fleet.start_agent("node-a", actors=2)
        self.fleet.wait_until_ready(2)
        process = self.fleet.sdctl_process("run", *echo(40, 100), "--out", self.out)
        wait_for(lambda: list(self.out.glob("*.bin")), "a first result")
        os.kill(children_of(agent.pid)[0], signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(self.texts(), [f"word {index}" for index in range(40)])

    def test_a_killed_coordinator_comes_back_and_the_run_goes_on(self):
        self.fleet.start_agent("node-a", actors=2)
        self.fleet.wait_until_ready(2)
        process = self.fleet.sdctl_process("run", *echo(40, 100), "--out", self.out)
        wait_for(lambda: list(self.out.glob("*.bin")), "a first result")
        self.fleet.kill("coordinator")
        time.sleep(0.5)
        self.fleet.start_coordinator()
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(self.texts(), [f"word {index}" for index in range(40)])

    def test_the_newer_of_two_agents_with_one_name_stays(self):
        older = self.fleet.start_agent("older", node_id="node-a")
        self.fleet.wait_until_ready(1)
        self.fleet.start_agent("newer", node_id="node-a")
        wait_for(lambda: older.poll() is not None, "end of the older agent")
        self.assertNotEqual(older.returncode, 0)
        self.assertIn("node-a", self.fleet.log("older"))
        self.fleet.wait_until_ready(1)
        self.sdctl("run", *echo(3, 0), "--out", self.out)

    def test_a_stop_leaves_no_process_socket_or_file(self):
        agent = self.fleet.start_agent("node-a", actors=3)
        self.fleet.wait_until_ready(3)
        actors = children_of(agent.pid)
        self.sdctl("submit", *echo(50, 1000))
        self.assertEqual(self.fleet.stop(), {"coordinator": 0, "node-a": 0})
        self.assertEqual([pid for pid in actors if is_running(pid)], [])
        self.assertEqual(self.fleet.leftovers(), [])

    def test_actors_do_not_outlive_a_killed_agent(self):
        agent = self.fleet.start_agent("node-a", actors=2)
        self.fleet.wait_until_ready(2)
        actors = children_of(agent.pid)
        self.fleet.kill("node-a")
        wait_for(lambda: not any(map(is_running, actors)), "end of the actors")


if __name__ == "__main__":
    unittest.main(verbosity=2)
