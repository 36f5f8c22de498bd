#!/usr/bin/python3
"""help_test.py SCRIPTS_DIR: each script there prints help when asked for it, and does nothing else."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main():
    scripts = sorted(path for path in Path(sys.argv[1]).resolve().iterdir() if path.is_file())
    complaints = [] if len(scripts) > 1 else [f"no scripts in {sys.argv[1]}"]
    for script in scripts:
        with tempfile.TemporaryDirectory() as directory:
            environment = {"PATH": "/usr/bin:/bin", "TMPDIR": directory, "HOME": directory}
            asked = subprocess.run([script, "--help"], cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, check=False, timeout=60)
            left = os.listdir(directory)
        if asked.returncode != 0 or len(asked.stdout.split()) < 5 or asked.stderr or left:
            complaints.append(f"{script.name}: status {asked.returncode}, leaves {left}, prints\n"
                              f"{asked.stdout}{asked.stderr}")
    sys.exit("\n".join(complaints) or 0)


main()
