# SPDX-License-Identifier: Apache-2.0
"""Programs on a fleet: sdctl launch, from the environment of a rank to the orphans that there must not be."""

import os
import signal
import unittest
import uuid
from pathlib import Path

from fleet import PATIENCE_S, Fleet, Scratch, is_running, wait_for

FAILED, USAGE, INTERRUPTED = 1, 2, 130
SHOW = "echo $RANK $WORLD_SIZE $LOCAL_RANK $LOCAL_WORLD_SIZE $MASTER_ADDR $MASTER_PORT $SDFLEET_EPOCH"


def processes_with(mark):
    """Ids of processes that have `mark` among their arguments: ranks and what they started, not sdctl and keepers."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in arguments and not {b"launch", b"keep-rank"} & set(arguments) and is_running(int(entry.name)):
            found.append(int(entry.name))
    return found


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def command_of(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")


class ProgramFleet(unittest.TestCase):
    """Two nodes of two devices."""

    def setUp(self):
        self.fleet = Fleet("--allow-programs")
        self.addCleanup(self.fleet.remove)
        self.sdctl = self.fleet.sdctl
        self.mark = f"mark-{uuid.uuid4().hex}"
        for name in ("node-a", "node-b"):
            self.fleet.start_agent(name, actors=2)
        self.fleet.wait_until_ready(4)

    def launch(self, ranks, script, *options, expect=0):
        return self.sdctl("launch", "-n", ranks, *options, "--", "bash", "-c", script, self.mark, expect=expect)

    def start(self, ranks, script, *options):
        return self.fleet.sdctl_process("launch", "-n", ranks, *options, "--", "bash", "-c", script, self.mark)

    def marked(self, count):
        """Waits until so many marked processes run on the nodes: not our own sdctl."""
        return wait_for(lambda: len(self.rank_processes()) == count or None, f"{count} processes of the program")

    def rank_processes(self):
        return processes_with(self.mark)


class Launch(ProgramFleet):
    def test_ranks_find_the_environment_of_torchrun(self):
        answer = self.launch(4, SHOW)
        ranks = sorted(line.split() for line in answer.out.splitlines())
        self.assertEqual([r[:5] for r in ranks], [[f"[{k}]", str(k), "4", str(k % 2), "2"] for k in range(4)])
        self.assertEqual(len({tuple(r[5:]) for r in ranks}), 1, "one meeting point and epoch for all")
        address, port, epoch = ranks[0][5:]
        self.assertEqual((address, epoch), ("127.0.0.1", "1"))
        self.assertGreater(int(port), 0)

    def test_one_node_is_enough_unless_more_are_asked_for(self):
        alone = self.launch(2, SHOW)
        self.assertEqual({line.split()[4] for line in alone.out.splitlines()}, {"2"})
        spread = self.launch(2, SHOW, "--nodes", 2)
        self.assertEqual({line.split()[4] for line in spread.out.splitlines()}, {"1"})

    def test_a_rank_may_have_several_devices(self):
        answer = self.launch(2, SHOW, "--devices-per-rank", 2)
        self.assertEqual({line.split()[4] for line in answer.out.splitlines()}, {"1"}, "one rank a node")
        self.sdctl("launch", "-n", 3, "--devices-per-rank", 2, "--", "true", expect=FAILED)

    def test_what_ranks_write_arrives_whole_and_on_its_own_stream(self):
        answer = self.launch(2, "seq 1 20000; echo $FLAVOUR >&2", "--env", "FLAVOUR=sweet = sour")
        for rank in (0, 1):
            lines = [line.split()[1] for line in answer.out.splitlines() if line.startswith(f"[{rank}] ")]
            self.assertEqual(lines, [str(k) for k in range(1, 20001)])
        self.assertEqual(sorted(answer.err.splitlines()), ["[0] sweet = sour", "[1] sweet = sour"])

    def test_bytes_are_not_changed_without_prefix(self):
        answer = self.launch(1, "printf 'a\\rb\\n\\nc'", "--no-prefix")
        self.assertEqual(answer.out, "a\nb\n\nc")  # text=True reads \r as the end of a line

    def test_logs_are_gathered(self):
        folder = self.fleet.path / "logs"
        self.launch(2, "echo out $RANK; echo err $RANK >&2", "--gather-logs", folder)
        for rank in (0, 1):
            lines = (folder / f"rank-{rank}.log").read_text().splitlines()
            self.assertEqual(sorted(lines), [f"err {rank}", f"out {rank}"])

    def test_json_tells_events(self):
        answer = self.sdctl("launch", "-n", 1, "--json", "--", "echo", "hello")
        events = answer.json_lines
        self.assertIn({"event": "output", "rank": 0, "stream": "stdout", "line": "hello"}, events)
        self.assertEqual(events[-1]["state"], "done")

    def test_the_first_failing_rank_decides_and_the_others_are_stopped(self):
        answer = self.launch(4, "test $RANK = 2 && exit 7; sleep 1000", expect=7)
        self.assertIn("rank 2 on node-b", answer.err)
        self.assertIn("exited with code 7", answer.err)
        self.assertEqual(self.rank_processes(), [])

    def test_a_rank_killed_by_a_signal_is_128_and_the_signal(self):
        answer = self.launch(2, "test $RANK = 1 && kill -KILL $$; sleep 1000", expect=128 + signal.SIGKILL)
        self.assertIn("was killed by SIGKILL", answer.err)

    def test_restarts_begin_a_new_epoch_of_all_ranks(self):
        answer = self.launch(2, "echo epoch $SDFLEET_EPOCH $TORCHELASTIC_RESTART_COUNT; test $SDFLEET_EPOCH = 3",
                             "--max-restarts", 3)  # fmt: skip
        lines = {line.split(maxsplit=1)[1] for line in answer.out.splitlines()}
        self.assertEqual(lines, {"epoch 1 0", "epoch 2 1", "epoch 3 2"})
        self.launch(1, "exit 9", "--max-restarts", 1, expect=9)

    def test_devices_are_given_back(self):
        self.launch(4, "true")
        self.fleet.wait_until_ready(4)
        self.sdctl("watch", self.sdctl("submit", "--prompt", "x", "--echo-delay-ms", 1).out.strip())

    def test_a_program_waits_for_devices_that_are_at_work_and_gets_them_first(self):
        job = self.sdctl("submit", *(w for k in range(40) for w in ("--prompt", k)), "--echo-delay-ms", 300).out.strip()
        answer = self.launch(4, "echo at last")
        self.assertEqual(answer.out.count("at last"), 4)
        self.assertIn("waiting: ", answer.err)
        self.assertNotEqual(self.fleet.job(job)["state"], "done", "the program did not have to wait for the whole job")
        self.sdctl("watch", job)

    def test_two_programs_take_turns(self):
        first = self.start(4, "sleep 1; echo first")
        self.marked(4 * 1)
        second = self.launch(4, "echo second")
        self.assertIn("waiting: ", second.err)
        out, _ = first.communicate(timeout=PATIENCE_S)
        self.assertEqual((first.returncode, out.count("first"), second.out.count("second")), (0, 4, 4))


class Ends(ProgramFleet):
    # Each rank has a child in its process group, and one in a session of its own that does not hear SIGTERM.
    FAMILY = "sleep 1000 & (trap '' TERM HUP; setsid -f bash -c 'trap \"\" TERM; sleep 1000; true' \"$0\"); wait"

    def test_ctrl_c_stops_all_ranks_on_all_nodes(self):
        launch = self.start(4, self.FAMILY)
        self.marked(8)
        launch.send_signal(signal.SIGINT)
        _, err = launch.communicate(timeout=PATIENCE_S)
        self.assertEqual(launch.returncode, INTERRUPTED, err)
        self.assertEqual(self.rank_processes(), [], "also what left its rank's session")

    def test_a_second_ctrl_c_does_not_wait_for_the_grace(self):
        launch = self.start(2, "trap '' TERM; while true; do sleep 0.1; done", "--stop-grace", 500)
        self.marked(2)
        launch.send_signal(signal.SIGINT)
        wait_for(lambda: "once more" in launch.stderr.readline(), "the word that it is stopping")
        launch.send_signal(signal.SIGINT)
        launch.communicate(timeout=PATIENCE_S)
        self.assertEqual(launch.returncode, INTERRUPTED)
        self.assertEqual(self.rank_processes(), [])

    def test_no_orphan_when_an_agent_is_killed(self):
        launch = self.start(4, self.FAMILY)
        self.marked(8)
        self.fleet.kill("node-b", signal.SIGKILL)
        _, err = launch.communicate(timeout=PATIENCE_S)
        self.assertEqual(launch.returncode, FAILED, err)
        self.assertIn("node node-b is lost", err)
        wait_for(lambda: not self.rank_processes(), "end of all ranks")

    def test_no_orphan_when_a_keeper_is_killed(self):
        launch = self.start(1, self.FAMILY)
        self.marked(2)
        rank = next(p for p in self.rank_processes() if "keep-rank" in command_of(parent_of(p)))
        os.kill(parent_of(rank), signal.SIGKILL)
        launch.communicate(timeout=PATIENCE_S)
        self.assertEqual(launch.returncode, 128 + signal.SIGKILL)
        wait_for(lambda: not self.rank_processes(), "end of all ranks")

    def test_no_orphan_when_sdctl_is_killed(self):
        launch = self.start(2, self.FAMILY)
        self.marked(4)
        launch.kill()
        launch.communicate()
        wait_for(lambda: not self.rank_processes(), "end of all ranks")
        self.fleet.wait_until_ready(4)

    def test_no_orphan_when_the_coordinator_is_killed(self):
        launch = self.start(2, self.FAMILY)
        self.marked(4)
        self.fleet.kill("coordinator", signal.SIGKILL)
        wait_for(lambda: not self.rank_processes(), "end of all ranks")
        self.fleet.start_coordinator()
        _, err = launch.communicate(timeout=PATIENCE_S)
        self.assertEqual(launch.returncode, FAILED, err)
        self.assertIn("there is no program", err)
        self.fleet.wait_until_ready(4)

    def test_an_agent_that_stops_takes_its_ranks_along(self):
        launch = self.start(4, self.FAMILY)
        self.marked(8)
        self.assertEqual(self.fleet.kill("node-a", signal.SIGTERM), 0)
        launch.communicate(timeout=PATIENCE_S)
        self.assertEqual(launch.returncode, FAILED)
        wait_for(lambda: not self.rank_processes(), "end of all ranks")


class Misuse(ProgramFleet):
    def test_a_command_that_is_missing_or_no_program(self):
        answer = self.sdctl("launch", "-n", 2, "--", "no-such-command-here", expect=127)
        self.assertIn("cannot run no-such-command-here: No such file or directory", answer.err)
        text = self.fleet.write("text", "not a program")
        answer = self.sdctl("launch", "-n", 1, "--", text, expect=126)
        self.assertIn("Permission denied", answer.err)

    def test_more_ranks_than_the_fleet_can_ever_hold(self):
        answer = self.sdctl("launch", "-n", 5, "--", "true", expect=FAILED)
        self.assertIn("5 ranks are wanted; the fleet's 2 nodes can hold 4", answer.err)
        self.sdctl("launch", "-n", 4, "--nodes", 3, "--", "true", expect=FAILED)

    def test_wrong_flags(self):
        for arguments in (["-n", 2], ["--", "true"], ["-n", 2, "--local", 2, "--", "true"], ["-n", 0, "--", "true"],
                          ["-n", 1, "--nodes", 2, "--", "true"], ["-n", 1, "--env", "NOVALUE", "--", "true"],
                          ["-n", 1, "--env", "=x", "--", "true"]):  # fmt: skip
            with self.subTest(arguments):
                answer = self.sdctl("launch", *arguments, expect=USAGE)
                self.assertLessEqual(len(answer.err.strip().splitlines()), 2)

    def test_a_missing_working_directory(self):
        answer = self.sdctl("launch", "-n", 1, "--chdir", "/does/not/exist", "--", "true", expect=126)
        self.assertIn("cannot work in /does/not/exist", answer.err)

    def test_only_where_the_operator_allows_it(self):
        closed = Fleet()
        self.addCleanup(closed.remove)
        closed.start_agent("node-a")
        closed.wait_until_ready(1)
        answer = closed.sdctl("launch", "-n", 1, "--", "true", expect=FAILED)
        self.assertIn("--allow-programs", answer.err)


class Local(unittest.TestCase):
    def test_without_a_fleet(self):
        scratch = Scratch()
        self.addCleanup(scratch.remove)
        answer = scratch.sdctl("launch", "--local", 3, "--", "bash", "-c", SHOW)
        ranks = sorted(line.split()[:5] for line in answer.out.splitlines())
        self.assertEqual(ranks, [[f"[{k}]", str(k), "3", str(k), "3"] for k in range(3)])
        self.assertEqual(list(scratch.tmp.iterdir()), [], "nothing is left behind")
        scratch.sdctl("launch", "--local", 2, "--", "bash", "-c", "exit 3", expect=3)


if __name__ == "__main__":
    unittest.main()
