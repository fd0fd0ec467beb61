# SPDX-License-Identifier: Apache-2.0
"""What a person who looks after a fleet sees and does: metrics, readiness, top, drain, fence, priorities, JSON logs."""

import json
import re
import signal
import socket
import subprocess
import unittest
import urllib.error
import urllib.request

from fleet import BIN, PATIENCE_S, Fleet, Scratch, wait_for


def prompts(count):
    return [word for index in range(count) for word in ("--prompt", f"word {index}")]


def parse_metrics(text):
    """{name with labels: value}; every metric has its HELP and TYPE before it."""
    values = {}
    described = {"HELP": set(), "TYPE": set()}
    for line in text.splitlines():
        if match := re.fullmatch(r"# (HELP|TYPE) (sdfleet_[a-z_]+) .+", line):
            described[match[1]].add(match[2])
            continue
        match = re.fullmatch(r"((sdfleet_[a-z_]+?)(?:_bucket|_sum|_count)?(?:\{[^}]*\})?) (\S+)", line)
        assert match, f"not a metric: {line!r}"
        assert any(name in described["HELP"] & described["TYPE"] for name in (match[2], match[1])), line
        values[match[1]] = float(match[3])
    return values


class OperatedFleet(unittest.TestCase):
    coordinator_options = ()

    def setUp(self):
        self.fleet = Fleet("--http", "127.0.0.1:*", *self.coordinator_options)
        self.addCleanup(self.fleet.remove)
        self.sdctl = self.fleet.sdctl
        self.http = wait_for(self.find_http, "address of the monitoring")

    def find_http(self):
        found = re.search(r"monitoring at (http://[^:]+:\d+)", self.fleet.log("coordinator"))
        return found and found[1]

    def get(self, path):
        try:
            with urllib.request.urlopen(self.http + path, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self):
        status, text = self.get("/metrics")
        self.assertEqual(status, 200)
        return parse_metrics(text)

    def node(self, name):
        return next(node for node in self.fleet.nodes() if node["node"] == name)

    def submit(self, count, delay_ms, *options):
        return self.sdctl("submit", *prompts(count), "--echo-delay-ms", delay_ms, *options).out.strip()


class Monitoring(OperatedFleet):
    def test_metrics_count_what_the_fleet_did(self):
        before = self.metrics()
        self.assertEqual(before["sdfleet_items_done_total"], 0)
        self.assertEqual(before['sdfleet_nodes{state="alive"}'], 0)
        self.fleet.start_agent("node-a", actors=2)
        self.fleet.wait_until_ready(2)
        self.sdctl("watch", self.submit(7, 5))
        after = self.metrics()
        self.assertEqual(after["sdfleet_items_done_total"], 7)
        self.assertEqual(after["sdfleet_dispatch_seconds_count"], 7)
        self.assertEqual(after['sdfleet_dispatch_seconds_bucket{le="+Inf"}'], 7)
        self.assertGreaterEqual(after["sdfleet_dispatch_seconds_sum"], 7 * 0.005)
        self.assertEqual(after['sdfleet_nodes{state="alive"}'], 1)
        self.assertEqual(after['sdfleet_actors{state="idle"}'] + after['sdfleet_actors{state="busy"}'], 2)
        self.assertEqual(after["sdfleet_jobs_unfinished"], 0)
        self.assertEqual(after["sdfleet_stored_bytes"], sum(len(f"word {index}") for index in range(7)))
        buckets = [value for name, value in after.items() if name.startswith("sdfleet_dispatch_seconds_bucket")]
        self.assertEqual(buckets, sorted(buckets))

    def test_ready_follows_the_actors_and_healthy_does_not(self):
        status, why = self.get("/readyz")
        self.assertEqual((status, why.count("\n")), (503, 1))
        self.assertIn("no actor is ready", why)
        self.assertEqual(self.get("/healthz"), (200, "ok\n"))
        self.fleet.start_agent("node-a")
        self.fleet.wait_until_ready(1)
        self.assertEqual(self.get("/readyz"), (200, "ready\n"))
        self.fleet.kill("node-a", signal.SIGTERM)
        wait_for(lambda: self.get("/readyz")[0] == 503, "a fleet that is not ready")
        self.assertEqual(self.get("/healthz"), (200, "ok\n"))

    def test_work_goes_on_while_clients_hold_every_connection(self):
        self.fleet.start_agent("node-a")
        self.fleet.wait_until_ready(1)
        host, port = self.http.removeprefix("http://").split(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(80)]
        self.addCleanup(lambda: [one.close() for one in silent])
        self.sdctl("watch", self.submit(3, 0))
        self.assertEqual(self.get("/healthz"), (200, "ok\n"))  # once the silent ones are cut off

    def test_top_shows_the_fleet(self):
        self.fleet.start_agent("node-a", actors=2)
        self.fleet.wait_until_ready(2)
        self.sdctl("watch", self.submit(4, 0))
        top = self.sdctl("top", "--once", "--interval", 0.1, "--json").json
        self.assertEqual(top["nodes"]["alive"], 1)
        self.assertEqual(top["actors"]["busy"] + top["actors"]["idle"], 2)
        self.assertEqual(top["items"]["done_total"], 4)
        self.assertIn("node-a", self.sdctl("top", "--once", "--interval", 0.1).out)


class Nodes(OperatedFleet):
    def setUp(self):
        super().setUp()
        for name in ("node-a", "node-b"):
            self.fleet.start_agent(name)
        self.fleet.wait_until_ready(2)

    def nodes_that_drew(self, job):
        return {item["actor"].split("/")[0] for item in self.fleet.job(job)["items"]}

    def test_a_drained_node_gets_nothing_until_undone_also_after_a_restart(self):
        self.sdctl("node", "drain", "node-a")
        self.assertEqual(self.metrics()["sdfleet_nodes_draining"], 1)
        job = self.submit(6, 20)
        self.sdctl("watch", job)
        self.assertEqual(self.nodes_that_drew(job), {"node-b"})
        self.fleet.kill("coordinator")
        self.fleet.start_coordinator()
        self.fleet.wait_until_ready(2)
        job = self.submit(6, 20)
        self.sdctl("watch", job)
        self.assertEqual(self.nodes_that_drew(job), {"node-b"})
        self.sdctl("node", "drain", "node-a", "--undo")
        job = self.submit(12, 50)
        self.sdctl("watch", job)
        self.assertEqual(self.nodes_that_drew(job), {"node-a", "node-b"})

    def test_a_drained_node_finishes_what_it_has(self):
        job = self.submit(2, 1500)
        wait_for(lambda: self.fleet.job(job)["running"] == 2, "two running items")
        self.sdctl("node", "drain", "node-a")
        self.sdctl("watch", job)
        self.assertEqual(self.nodes_that_drew(job), {"node-a", "node-b"})

    def test_a_fenced_nodes_work_goes_to_others_and_its_agent_ends_with_1(self):
        job = self.submit(2, 1500)
        wait_for(lambda: self.fleet.job(job)["running"] == 2, "two running items")
        agent = self.fleet.daemons.pop("node-a")
        self.sdctl("node", "fence", "node-a")
        self.assertEqual(self.node("node-a")["state"], "lost")
        self.assertEqual(agent.wait(timeout=PATIENCE_S), 1)
        self.assertIn("fenced", self.fleet.log("node-a"))
        self.sdctl("watch", job)
        self.assertEqual(self.nodes_that_drew(job), {"node-b"})
        self.fleet.start_agent("node-a")
        self.fleet.wait_until_ready(2)

    def test_an_unknown_node_is_told_with_those_that_there_are(self):
        for command in ("drain", "fence"):
            answer = self.sdctl("node", command, "node-x", expect=1)
            self.assertIn("node-x", answer.err)
            self.assertIn("node-a, node-b", answer.err)


class Priorities(OperatedFleet):
    def test_a_job_of_higher_priority_goes_first(self):
        self.fleet.start_agent("node-a")
        self.fleet.wait_until_ready(1)
        low = self.submit(100, 100, "--priority", -5)
        wait_for(lambda: self.fleet.job(low)["done"] >= 1, "a result")
        high = self.submit(3, 0, "--priority", 5)
        self.sdctl("watch", high)
        self.assertGreater(self.fleet.job(low)["queued"], 0)
        self.sdctl("cancel", low)


class JsonLogs(OperatedFleet):
    coordinator_options = ("--log-format", "json")

    def lines(self, name):
        return [json.loads(line) for line in self.fleet.log(name).splitlines()]

    def test_every_line_of_every_program_is_an_object(self):
        command = [BIN / "agent", "--coordinator", self.fleet.url, "--node-id", "node-a", "--devices", "cpu"]
        self.fleet.start("node-a", *command, "--actor-bin", self.fleet.environment["SDFLEET_ECHO_ACTOR"],
                         "--log-format", "json", "--log-level", "debug")  # fmt: skip
        self.fleet.wait_until_ready(1)
        job = self.submit(2, 0)
        self.sdctl("watch", job)
        actor_pid = self.node("node-a")["actors"][0]["pid"]
        subprocess.run(["kill", "-9", str(actor_pid)], check=True)
        wait_for(lambda: self.node("node-a")["actors"][0]["restarts"] == 1, "another actor")
        self.fleet.wait_until_ready(1)
        self.fleet.stop()

        coordinator, agent = self.lines("coordinator"), self.lines("node-a")
        for line in coordinator + agent:
            self.assertRegex(line["ts"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(line["level"], ("trace", "debug", "info", "warning", "error", "critical"))
            self.assertTrue(line["message"])
        self.assertEqual({line["program"] for line in coordinator}, {"coordinator"})
        self.assertIn("agent", {line["program"] for line in agent})
        about_job = [line["message"] for line in coordinator if line.get("job") == job]
        self.assertTrue(any("2 done" in message for message in about_job), about_job)
        self.assertTrue(any(line.get("node") == "node-a" for line in coordinator))
        deaths = [line for line in agent if (line["program"], line.get("actor")) == ("agent", 0) and line["level"] == "warning"]
        self.assertTrue(deaths)
        self.assertEqual(deaths[0]["node"], "node-a")

    def test_the_line_that_ends_a_command_is_an_object_too(self):
        answer = self.sdctl("--log-format", "json", "job", "no-such-job", expect=1)
        line = json.loads(answer.err)
        self.assertEqual((line["program"], line["level"]), ("sdctl", "error"))
        self.assertIn("no-such-job", line["message"])


class WrongAddresses(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)

    def refused(self, code, *options):
        command = [BIN / "coordinator", "--data-dir", self.scratch.path / "data", "--log-level", "error"]
        command += ["--listen", f"ipc://{self.scratch.path}/c.sock", *options]
        process = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, env=self.scratch.environment)
        self.assertEqual(process.returncode, code, process.stderr)
        self.assertEqual(process.stderr.count("\n"), 1, process.stderr)
        return process.stderr

    def test_a_wrong_address_is_told(self):
        self.assertIn("127.0.0.1:7421", self.refused(2, "--http", "7421"))

    def test_others_machines_are_let_in_only_on_purpose(self):
        self.assertIn("--insecure-listen", self.refused(2, "--http", "0.0.0.0:*"))

    def test_an_address_in_use_is_told(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.assertIn(address, self.refused(1, "--http", address))


if __name__ == "__main__":
    unittest.main()
