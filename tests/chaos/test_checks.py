# SPDX-License-Identifier: Apache-2.0
"""The checks of a chaos round see what they are there to see."""

import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from contextlib import closing
from pathlib import Path

from books import faults_of_books, note_every_outcome, temporary_files
from chaos_round import plan_round
from faults import FAULTS
from fleet import wait_for
from keeper import Keeper

NAMES = [name for name in FAULTS if name != "none"]


class Books(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.database = self.folder / "jobs.sqlite"
        self.write("CREATE TABLE jobs (id TEXT)", "INSERT INTO jobs VALUES ('monday')",
                   "CREATE TABLE outcomes (job TEXT, item INTEGER, attempt INTEGER, sha256 TEXT, PRIMARY KEY (job, item))")  # fmt: skip
        note_every_outcome(self.database)

    def write(self, *statements):
        with closing(sqlite3.connect(self.database)) as books, books:
            for statement in statements:
                books.execute(statement)

    def accept(self, item, attempt):
        self.write(f"INSERT OR REPLACE INTO outcomes VALUES ('monday', {item}, {attempt}, 'abc')")

    def faults(self, items=2):
        return faults_of_books(self.database, {"monday": items})

    def test_one_result_an_item_is_in_order(self):
        self.accept(0, 10)
        self.accept(1, 11)
        self.assertEqual(self.faults(), [])

    def test_a_second_result_is_seen_though_it_replaced_the_first(self):
        self.accept(0, 10)
        self.accept(1, 11)
        self.accept(1, 12)
        self.assertEqual(self.faults(), ["monday item 1 was accepted 2 times, of 2 attempts"])

    def test_a_missing_result_and_a_missing_job_are_seen(self):
        self.accept(0, 10)
        self.assertIn("monday has 1 results", self.faults()[0])
        self.assertIn("tuesday is in the books 0 times", faults_of_books(self.database, {"tuesday": 0})[0])

    def test_a_temporary_file_is_seen(self):
        (self.folder / "ab").mkdir()
        (self.folder / "ab" / "abc").touch()
        (self.folder / "ab" / ".abc.x1").touch()
        self.assertEqual(temporary_files(self.folder), [str(self.folder / "ab" / ".abc.x1")])


class Keepers(unittest.TestCase):
    def keep(self, code):
        keeper = Keeper("daemon", lambda first: subprocess.Popen([sys.executable, "-c", code if first else "input()"], stdin=subprocess.PIPE))
        self.addCleanup(keeper.end)
        return keeper

    def test_a_killed_daemon_is_started_again_without_a_word(self):
        keeper = self.keep("input()")
        keeper.kill()
        self.assertEqual((keeper.exit_codes, keeper.surprises), ([-signal.SIGKILL], []))

    def test_a_crash_is_a_surprise(self):
        keeper = self.keep("import os; os.abort()")
        wait_for(lambda: keeper.exit_codes, "crash")
        self.assertEqual(keeper.surprises, ["daemon ended by itself with -6"])


class Plans(unittest.TestCase):
    def test_a_seed_tells_everything(self):
        self.assertEqual(plan_round(7, NAMES, False), plan_round(7, NAMES, False))
        self.assertNotEqual(plan_round(7, NAMES, False), plan_round(8, NAMES, False))

    def test_every_fault_is_drawn_and_no_round_has_more_than_it_may(self):
        plans = [plan_round(seed, NAMES, False) for seed in range(500)]
        drawn = [[name for name, _, _ in plan.faults] for plan in plans]
        self.assertEqual({name for names in drawn for name in names}, set(NAMES))
        self.assertLessEqual(max(map(len, drawn)), 4)
        self.assertLessEqual(max(sum(FAULTS[name].kills_actors for name in names) for names in drawn), 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
