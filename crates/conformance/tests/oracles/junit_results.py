"""Reads JUnit results with `junitparser` and prints as JSON what it counts in them."""

import json
import sys

from junitparser import Failure, JUnitXml, Skipped

suites = []
for suite in JUnitXml.fromfile(sys.argv[1]):
    cases = {}
    for case in suite:
        found = "passed"
        for result in case.result:
            if isinstance(result, Failure):
                found = f"failure {result.type}"
            elif isinstance(result, Skipped):
                found = "skipped " + result.message.split(":")[0]
        cases[case.name.split(" ")[0]] = found
    suites.append(
        {
            "name": suite.name,
            "stated": [suite.tests, suite.failures, suite.errors, suite.skipped],
            "cases": cases,
        }
    )
    suite.update_statistics()
    suites[-1]["counted"] = [suite.tests, suite.failures, suite.errors, suite.skipped]
print(json.dumps(suites))
