# SPDX-License-Identifier: Apache-2.0
"""report.md and report.json of scripts/gpu-check. Written after each part, so that a part that takes the machine down leaves
what was known before."""

import json
import subprocess
from datetime import datetime, timezone


def commit_of(repo):
    """The commit that was checked, with '+' where files differ from it; '' outside of git."""
    command = ["git", "-C", str(repo), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def cell(text):
    return " ".join(str(text).split()).replace("|", "\\|")


def markdown(commit, when, results):
    lines = ["# gpu-check", "", f"Commit {commit or 'unknown'}, {when}.", "", "| part | result | seconds | |", "|---|---|---:|---|"]
    for part, result in results:
        lines.append(f"| {part.name} | {result.word} | {result.seconds:.1f} | {cell(result.why)} |")
    for part, result in results:
        if result.rows:
            lines += ["", f"## {part.name}", "", "| | |", "|---|---|"]
            lines += [f"| {cell(name)} | {cell(value)} |" for name, value in result.rows]
    return "\n".join(lines) + "\n"


def write(context, results):
    commit = commit_of(context.repo)
    when = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    parts = [
        {"name": part.name, "ok": result.ok, "skipped": result.skipped, "why": result.why, "seconds": round(result.seconds, 3), "facts": result.facts}
        for part, result in results
    ]
    document = {"commit": commit, "when": when, "ok": all(result.ok for _, result in results), "parts": parts}
    (context.out / "report.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (context.out / "report.md").write_text(markdown(commit, when, results), encoding="utf-8")
