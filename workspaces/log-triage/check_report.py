"""Is report.md right? Works the answer out from the logs again, by itself.

Exit status 0 if so. Runs in a clean sandbox, on a copy that the agent could not write.
"""

import os

DAY = "2026-11-20"

found = {}
for name in sorted(os.listdir("logs")):
    with open("logs/" + name) as log:
        for line in log.read().splitlines():
            words = line.split(" ")
            if words[0] == DAY and words[2] == "ERROR":
                found.setdefault(words[3], []).append(line)

with open("report.md") as file:
    report = file.read().splitlines()

headings = [line[3:].strip() for line in report if line.startswith("## ")]
assert headings == sorted(found), f"sections are {headings}, expected {sorted(found)}"

for service in sorted(found):
    start = report.index("## " + service)
    section = []
    for line in report[start + 1 :]:
        if line.startswith("## "):
            break
        section.append(line)
    count = f"Errors: {len(found[service])}"
    assert count in section, f"the section of {service} has no line {count!r}"
    first = "First: " + found[service][0]
    assert first in section, f"the section of {service} has no line {first!r}"

print(f"{len(found)} services, each with its count and its first error: right")
