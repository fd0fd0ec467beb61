#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: compiled_files.py BUILD_DIR < paths     Prints those paths that BUILD_DIR/compile_commands.json compiles."""

import json
import sys
from pathlib import Path

commands = json.loads((Path(sys.argv[1]) / "compile_commands.json").read_text(encoding="utf-8"))
compiled = {(Path(entry["directory"]) / entry["file"]).resolve() for entry in commands}
for line in sys.stdin:
    if Path(line.strip()).resolve() in compiled:
        print(line.strip())
