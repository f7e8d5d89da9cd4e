"""Is report.md right? Works the answer out from the logs again, by itself.

Exit status 0 if so. Runs in a clean sandbox, on a copy that the agent could not write.
"""

import os

DAY = "2026-11-20"

failed = {}
for name in sorted(os.listdir("logs")):
    with open("logs/" + name) as log:
        for line in log.read().splitlines():
            words = line.split(" ")
            if words[0] == DAY and words[2] == "ERROR":
                failed.setdefault(words[3], []).append(line)

sections = {}
section = None
with open("report.md") as report:
    for line in report.read().splitlines():
        if line.startswith("## "):
            section = line[3:].strip()
            sections[section] = []
        elif section is not None and line.strip():
            sections[section].append(line.strip())

assert sorted(sections) == sorted(failed), f"the sections are {sorted(sections)}"
for service in sorted(failed):
    for line in failed[service]:
        assert line in sections[service], f"the section {service} lacks an error of its log"

print(f"{len(failed)} services failed, each with its errors: right")
