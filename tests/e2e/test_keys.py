# SPDX-License-Identifier: Apache-2.0
"""A coordinator beyond the loopback address: only those with a key that it issued get in."""

import socket
import subprocess
import time
import unittest

from fleet import BIN, Fleet, Scratch, wait_for

UNREACHABLE = 3
USAGE = 2


def own_address():
    """An address of this machine that is not loopback, or None. Nothing is sent: connect() only chooses a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = probe.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") else address


ADDRESS = own_address()


class KeyedFleet(Fleet):
    """Listens on tcp with a port of the system's choice; everybody has a key file named after them."""

    def __init__(self):
        self.is_prepared = False
        super().__init__()

    def start_coordinator(self):
        data, endpoint_file = self.path / "data", self.path / "endpoint"
        if not self.is_prepared:
            self.issue("me")
            self.is_prepared = True
        self.start("coordinator", BIN / "coordinator", "--data-dir", data, "--listen", f"tcp://{ADDRESS}:*",
                   "--endpoint-file", endpoint_file)  # fmt: skip
        wait_for(endpoint_file.exists, "endpoint of the coordinator")
        self.url = endpoint_file.read_text().strip()
        self.environment["SDFLEET_COORDINATOR"] = self.url
        self.environment["SDFLEET_KEY_FILE"] = str(self.path / "me.key")

    def issue(self, name):
        key_file = self.path / f"{name}.key"
        self.sdctl("keys", "issue", name, "--data-dir", self.path / "data", "--out", key_file)
        return key_file


@unittest.skipUnless(ADDRESS, "this machine has no address but loopback")
class Keys(unittest.TestCase):
    def setUp(self):
        self.fleet = KeyedFleet()
        self.addCleanup(self.fleet.remove)

    def nodes_with(self, *arguments):
        begin = time.monotonic()
        err = self.fleet.sdctl("nodes", *arguments, expect=UNREACHABLE).err
        self.assertLess(time.monotonic() - begin, 8)
        return err

    def test_members_with_keys_work_together(self):
        self.fleet.environment["SDFLEET_KEY_FILE"] = str(self.fleet.issue("node-a"))
        self.fleet.start_agent("node-a", actors=2)
        self.fleet.environment["SDFLEET_KEY_FILE"] = str(self.fleet.path / "me.key")
        self.fleet.wait_until_ready(2)
        out = self.fleet.path / "out"
        self.fleet.sdctl("run", "--prompt", "over the wire", "--echo-delay-ms", 1, "--out", out)
        self.assertEqual((out / "000000-0.bin").read_text(), "over the wire")

    def test_without_a_key_nobody_answers_and_the_line_says_why(self):
        del self.fleet.environment["SDFLEET_KEY_FILE"]
        self.assertIn("--key-file", self.nodes_with())

    def test_a_key_of_another_fleet_is_of_no_use(self):
        self.fleet.sdctl("keys", "issue", "me", "--data-dir", self.fleet.path / "other", "--out",
                         self.fleet.path / "other.key")  # fmt: skip
        self.assertIn("sdctl keys list", self.nodes_with("--key-file", self.fleet.path / "other.key"))

    def test_a_key_works_as_soon_as_it_was_issued(self):
        self.fleet.sdctl("nodes", "--key-file", self.fleet.issue("just-now"))

    def test_an_agent_that_nobody_answers_logs_why_and_joins_once_its_key_is_known(self):
        key_file = self.fleet.issue("node-a")
        public_key = self.fleet.path / "data/keys/allowed/node-a.pub"
        wait_for(lambda: "2 keys may connect" in self.fleet.log("coordinator"), "word that a key was issued")
        public_key.rename(self.fleet.path / "taken-away")
        wait_for(lambda: "1 keys may connect" in self.fleet.log("coordinator"), "word that the key is gone")
        self.fleet.environment["SDFLEET_KEY_FILE"] = str(key_file)
        self.fleet.start_agent("node-a")
        wait_for(lambda: "sdctl keys list" in self.fleet.log("node-a"), "the agent's word that its key may be unknown")
        (self.fleet.path / "taken-away").rename(public_key)
        self.fleet.environment["SDFLEET_KEY_FILE"] = str(self.fleet.path / "me.key")
        self.fleet.wait_until_ready(1)

    def test_an_agent_without_a_key_says_what_is_missing(self):
        del self.fleet.environment["SDFLEET_KEY_FILE"]
        self.fleet.start_agent("stranger")
        wait_for(lambda: "--key-file" in self.fleet.log("stranger"), "the agent's word that it has no key")
        self.fleet.environment["SDFLEET_KEY_FILE"] = str(self.fleet.path / "me.key")
        self.assertEqual(self.fleet.nodes(), [])

    def test_a_damaged_public_key_is_reported_and_changes_nothing(self):
        (self.fleet.path / "data/keys/allowed/bad.pub").write_text("nonsense\n")
        wait_for(lambda: "bad.pub" in self.fleet.log("coordinator"), "word of the damaged key")
        self.fleet.sdctl("nodes")

    def test_a_revoked_key_is_refused_by_a_running_coordinator(self):
        late = self.fleet.issue("late")
        wait_for(lambda: "2 keys may connect" in self.fleet.log("coordinator"), "word that a key was issued")
        self.fleet.sdctl("nodes", "--key-file", late)
        self.fleet.sdctl("keys", "revoke", "late", "--data-dir", self.fleet.path / "data")
        wait_for(lambda: "1 keys may connect" in self.fleet.log("coordinator"), "word that a key was revoked")
        self.assertIn("sdctl keys list", self.nodes_with("--key-file", late))

    def test_a_key_file_that_others_can_read_is_not_used(self):
        (self.fleet.path / "me.key").chmod(0o644)
        self.assertIn("chmod 600", self.fleet.sdctl("nodes", expect=USAGE).err)


class KeyFiles(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.data, self.key_file = self.scratch.path / "data", self.scratch.path / "a.key"

    def keys(self, *arguments, expect=0):
        return self.scratch.sdctl("keys", *arguments, "--data-dir", self.data, expect=expect)

    def test_keys_are_issued_listed_and_revoked(self):
        issued = self.keys("issue", "a", "--out", self.key_file, "--json").json
        self.assertEqual(issued, {"name": "a", "key_file": str(self.key_file)})
        self.assertEqual(self.key_file.stat().st_mode & 0o777, 0o600)
        other = self.scratch.path / "b.key"
        self.assertEqual(self.keys("issue", "b", "--out", other).out, f"{other}\n")
        self.assertEqual(self.keys("list").out, "a\nb\n")
        self.keys("revoke", "a")
        self.assertEqual(self.keys("list", "--json").json, {"names": ["b"]})
        self.assertIn("'a'", self.keys("revoke", "a", expect=1).err)

    def test_a_file_or_a_name_that_exists_stays_as_it_is(self):
        self.key_file.write_text("mine")
        self.assertIn("a.key exists already", self.keys("issue", "a", "--out", self.key_file, expect=USAGE).err)
        self.assertEqual(self.key_file.read_text(), "mine")
        self.keys("issue", "a", "--out", self.scratch.path / "1.key")
        again = self.keys("issue", "a", "--out", self.scratch.path / "2.key", expect=USAGE)
        self.assertIn("a.pub exists already", again.err)

    def test_a_key_file_that_is_no_key_file_is_named(self):
        damaged = self.scratch.write("damaged.key", "nonsense")
        damaged.chmod(0o600)
        for path in (self.scratch.path / "missing.key", damaged):
            err = self.scratch.sdctl("nodes", "--key-file", path, expect=USAGE).err
            self.assertIn(path.name, err)
            self.assertEqual(err.count("\n"), 1)

    def test_a_key_in_the_environment_does_not_disturb_a_private_fleet(self):
        fleet = Fleet()
        self.addCleanup(fleet.remove)
        fleet.environment["SDFLEET_KEY_FILE"] = "/nowhere/me.key"
        fleet.start_agent("node-a")
        fleet.wait_until_ready(1)


class NoKeys(unittest.TestCase):
    def test_a_coordinator_without_keys_does_not_listen_beyond_the_machine(self):
        scratch = Scratch()
        self.addCleanup(scratch.remove)
        command = [BIN / "coordinator", "--data-dir", scratch.path / "data", "--listen", "tcp://0.0.0.0:*"]
        ended = subprocess.run(command, env=scratch.environment, capture_output=True, text=True, timeout=30)
        self.assertEqual(ended.returncode, USAGE)
        self.assertIn("sdctl keys issue", ended.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
