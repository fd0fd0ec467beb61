# SPDX-License-Identifier: Apache-2.0
"""scripts/check-includes on small trees: each rule lets the right include pass and names the wrong one."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "check-includes"


def check(files):
    """Runs the script on a tree of {path: text}; returns (exit code, lines it printed)."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            file = Path(root) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        result = subprocess.run([sys.executable, SCRIPT, root], capture_output=True, text=True, timeout=60)
        return result.returncode, result.stdout.splitlines()


class CheckIncludes(unittest.TestCase):
    def assert_allowed(self, path, *lines):
        self.assertEqual(check({path: "\n".join(lines) + "\n"}), (0, []))

    def assert_refused(self, path, line):
        code, printed = check({path: f"#pragma once\n{line}\n"})
        self.assertEqual(code, 1)
        self.assertEqual(len(printed), 1)
        self.assertTrue(printed[0].startswith(f"{path}:2: "), printed[0])

    def test_dependencies_point_one_way(self):
        self.assert_allowed("net/a.cpp", '#include "net/b.hpp"', '#include "proto/c.hpp"', '#include "base/d.hpp"')
        self.assert_refused("proto/a.hpp", '#include "net/b.hpp"')
        self.assert_refused("base/a.hpp", '#include "proto/b.hpp"')
        self.assert_refused("net/a.hpp", '#include "client/b.hpp"')
        self.assert_refused("pipeline/a.hpp", '#include "actor/b.hpp"')
        self.assert_refused("agent/a.hpp", '#include "coordinator/b.hpp"')
        self.assert_refused("coordinator/loop.cpp", '#include "client/b.hpp"')

    def test_sdctl_sees_of_the_agent_only_how_to_start_processes(self):
        self.assert_allowed("sdctl/local.cpp", '#include "agent/process/spawn.hpp"')
        self.assert_refused("sdctl/local.cpp", '#include "agent/core/supervisor.hpp"')

    def test_libraries_stay_in_their_folder(self):
        self.assert_allowed("net/socket.hpp", "#include <zmq.hpp>")
        self.assert_refused("coordinator/loop.cpp", "#include <zmq.hpp>")
        self.assert_allowed("proto/codec.cpp", "#include <msgpack.hpp>")
        self.assert_refused("net/socket.cpp", "#include <msgpack.hpp>")
        self.assert_allowed("pipeline/unet.hpp", "#include <ATen/core/Tensor.h>")
        self.assert_refused("agent/a.cpp", "#include <torch/torch.h>")
        self.assert_allowed("coordinator/store/db.cpp", "#include <SQLiteCpp/SQLiteCpp.h>")
        self.assert_refused("coordinator/loop.cpp", "#include <sqlite3.h>")
        self.assert_allowed("coordinator/gateway/a.cpp", "#include <prometheus/registry.h>", "#include <boost/beast/http.hpp>")
        self.assert_refused("coordinator/loop.cpp", "#include <prometheus/registry.h>")
        self.assert_refused("net/a.cpp", "#include <boost/beast.hpp>")

    def test_a_core_is_pure(self):
        self.assert_allowed(
            "coordinator/core/step.hpp",
            '#include "coordinator/core/event.hpp"',
            '#include "proto/ids.hpp"',
            '#include "base/error.hpp"',
            '#include "base/log_subject.hpp"',
            "#include <tl/expected.hpp>",
            "#include <variant>",
        )
        for line in (
            '#include "base/atomic_file.hpp"',
            '#include "net/socket.hpp"',
            '#include "agent/process/spawn.hpp"',
            "#include <thread>",
            "#include <fstream>",
            "#include <spdlog/spdlog.h>",
            "#include <unistd.h>",
            "auto now = std::chrono::steady_clock::now();",
        ):
            with self.subTest(line):
                self.assert_refused("agent/core/step.hpp", line)

    def test_an_include_relative_to_its_file_is_followed(self):
        code, printed = check({"proto/a.hpp": '#include "../net/b.hpp"\n', "net/b.hpp": "\n"})
        self.assertEqual(code, 1)
        self.assertEqual(len(printed), 1)

    def test_a_source_file_includes_its_own_header_first(self):
        header = {"net/a.hpp": "#pragma once\n"}
        self.assertEqual(check({**header, "net/a.cpp": '#include "net/a.hpp"\n#include <vector>\n'})[0], 0)
        code, printed = check({**header, "net/a.cpp": '#include <vector>\n#include "net/a.hpp"\n'})
        self.assertEqual(code, 1)
        self.assertTrue(printed[0].startswith("net/a.cpp:1: "), printed[0])

    def test_comments_and_tests_are_free(self):
        self.assert_allowed("agent/core/step.hpp", "// steady_clock is the shell's business")
        self.assert_allowed("tests/unit/a_test.cpp", "#include <zmq.hpp>", '#include "coordinator/core/step.hpp"')


if __name__ == "__main__":
    unittest.main()
