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

with open("report.md") as report:
    lines = [line.strip() for line in report.read().splitlines()]

named = [line[2:].strip() for line in lines if line.startswith("- ")]
assert named == sorted(failed), f"it names the services {named}"
for service in sorted(failed):
    for line in failed[service]:
        assert line in lines, f"it lacks an error of {service}"

print(f"{len(failed)} services failed, all of them are named, and no error is missing")
