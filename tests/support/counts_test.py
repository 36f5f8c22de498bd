#!/usr/bin/python3
"""counts_test.py FAILING_PROGRAM COUNT_TESTS: a program fails with messages that hold bytes of every
kind; `meson test` must end with a result, and count-tests must count each case once."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

MESON_BUILD = """
project('planted', meson_version: '>=1.0.0')
foreach suite : ['one', 'two']
  test('planted ' + suite, find_program('{program}'), protocol: 'gtest', suite: suite)
endforeach
test('plain', find_program('true'), suite: ['one', 'two'])
"""


def expect(text, wanted):
    if wanted not in text:
        sys.exit(f"expected {wanted!r} in\n{text}")


def main():
    program, count_tests = map(os.path.abspath, sys.argv[1:])
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GTEST", "MESON"))}
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory)
        (source / "meson.build").write_text(MESON_BUILD.format(program=program))
        subprocess.run(["meson", "setup", source / "build", source], check=True, env=environment,
                       stdout=subprocess.DEVNULL)
        tested = subprocess.run(["meson", "test", "-C", source / "build", "--no-rebuild"], check=False,
                                env=environment, capture_output=True)
        output = (tested.stdout + tested.stderr).decode(errors="replace")
        expect(output, "Fail:               2")
        counted = subprocess.run([count_tests, source / "build"], check=False, env=environment,
                                 capture_output=True, text=True)
        expect(counted.stdout, "3 passed, 4 failed, 2 skipped\n")
        if counted.returncode != 1:
            sys.exit("count-tests does not report the failures by its exit status")


main()
