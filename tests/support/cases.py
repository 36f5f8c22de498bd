"""Runs test cases in Python, and reports them as a GoogleTest program does: meson and count-tests read it."""

import sys
import time
import unittest
import xml.etree.ElementTree as ElementTree


class Report(unittest.TextTestResult):
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.root = ElementTree.Element("testsuites")
        self._suite = ElementTree.SubElement(self.root, "testsuite", name="")
        self._began = 0.0

    def _begin_case(self, name, test_class):
        self._suite.set("name", test_class)
        self._case = ElementTree.SubElement(self._suite, "testcase", name=name, classname=test_class, status="run")

    def startTest(self, test):
        super().startTest(test)
        self._began = time.monotonic()
        self._begin_case(test._testMethodName, type(test).__name__)

    def _fail(self, test, error):
        text = self._exc_info_to_string(error, test)
        failure = ElementTree.SubElement(self._case, "failure", message="failed")
        failure.text = "".join(c for c in text if c.isprintable() or c == "\n")

    def addError(self, test, err):
        super().addError(test, err)
        if not isinstance(test, unittest.TestCase):  # outside the cases
            self._begin_case(str(test), "outside")
        self._fail(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._fail(subtest, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        ElementTree.SubElement(self._case, "skipped", message=reason)

    def stopTest(self, test):
        self._case.set("time", f"{time.monotonic() - self._began:.3f}")
        super().stopTest(test)


def run(test_class, patterns, gtest_output):
    """Runs the cases whose names contain one of the patterns, or all. Returns the exit status. `gtest_output` is
    xml:FILE or None."""
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{pattern}*" for pattern in patterns] if patterns else None
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Report)
    result = runner.run(loader.loadTestsFromTestCase(test_class))
    if gtest_output:
        ElementTree.ElementTree(result.root).write(gtest_output.removeprefix("xml:"), encoding="utf-8")
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1
