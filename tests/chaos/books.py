# SPDX-License-Identifier: Apache-2.0
"""The coordinator's books, read without it."""

import sqlite3
from contextlib import closing

# Every outcome ever committed, also one that a later one replaced.
NOTE_OUTCOMES = """
CREATE TABLE chaos_outcomes (job TEXT, item INTEGER, attempt INTEGER, sha256 TEXT);
CREATE TRIGGER chaos_note AFTER INSERT ON outcomes
BEGIN INSERT INTO chaos_outcomes VALUES (NEW.job, NEW.item, NEW.attempt, NEW.sha256); END;
"""


def note_every_outcome(database):
    """While the coordinator has nothing to write."""
    with closing(sqlite3.connect(database, timeout=10)) as books:
        books.executescript(NOTE_OUTCOMES)


def faults_of_books(database, jobs):
    """`jobs` is {id: number of items}. To be called when the coordinator has ended."""
    with closing(sqlite3.connect(database, timeout=10)) as books:
        faults = [f"SQLite: {row[0]}" for row in books.execute("PRAGMA integrity_check") if row[0] != "ok"]
        known = [row[0] for row in books.execute("SELECT id FROM jobs")]
        for job, items in jobs.items():
            if known.count(job) != 1:
                faults.append(f"{job} is in the books {known.count(job)} times")
            done = [r[0] for r in books.execute("SELECT item FROM outcomes WHERE job = ? AND sha256 != '' ORDER BY item", (job,))]
            if done != list(range(items)):
                faults.append(f"{job} has {len(done)} results in the books, not one for each of {items}")
        twice = "SELECT job, item, COUNT(*), COUNT(DISTINCT attempt) FROM chaos_outcomes GROUP BY job, item HAVING COUNT(*) > 1"
        for job, item, count, attempts in books.execute(twice):
            faults.append(f"{job} item {item} was accepted {count} times, of {attempts} attempts")
    return faults


def temporary_files(artifacts):
    return [str(path) for path in artifacts.rglob("*") if path.is_file() and path.name.startswith(".")]
