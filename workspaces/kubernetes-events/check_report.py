"""Does report.md explain every error of events.json? Works the list of errors out again, by itself.

Exit status 0 if so. Runs in a clean sandbox, on a copy that the agent could not write.
"""

import json
import re

SHORTER_THAN = 280
GENERATED = "[bcdfghjklmnpqrstvwxz2456789]"  # the letters of which Kubernetes makes up endings of names
ENDING = re.compile("(-" + GENERATED + "{8,10})?-" + GENERATED + "{5}$|-" + GENERATED + "{8,10}$|-[0-9]+$")
LINE = re.compile(r"- (\w+) (\S+): Cause: (.+) Remedy: (.+)")
SAID_BY_THE_EVENTS = 2  # words of the cause; a cause from nowhere shares none with what happened


def named(obj):
    """`Pod shop/cart`, `Node worker-1`: replicas and runs of one workload have one name."""
    name = obj["name"]
    if obj["kind"] != "Node":
        for _ in range(2):  # a job's pod has two endings
            name = ENDING.sub("", name)
    return obj["kind"] + " " + (obj["namespace"] + "/" if "namespace" in obj else "") + name


def words(text):
    return set(re.findall(r"[a-z0-9-]{4,}", text.lower()))


with open("events.json", encoding="utf-8") as file:
    events = json.load(file)["items"]
errors = {}
for event in events:
    if event["type"] == "Warning":
        said = event["reason"] + " " + event["message"]
        errors.setdefault(named(event["involvedObject"]), []).append(said)

explained = {}
with open("report.md", encoding="utf-8") as file:
    for line in file.read().splitlines():
        if not line.startswith("- "):
            continue
        match = LINE.fullmatch(line)
        assert match, "this line isn't '- KIND NAME: Cause: ... Remedy: ...': " + line[:120]
        kind, name, cause, remedy = match.groups()
        subject = kind + " " + name
        assert subject in errors, "there is no error of " + subject
        assert subject not in explained, subject + " is explained twice"
        assert len(line) < SHORTER_THAN, subject + ": " + str(len(line)) + " characters"
        shared = words(cause) & words(" ".join(errors[subject]))
        assert len(shared) >= SAID_BY_THE_EVENTS, subject + ": its events don't say that cause"
        assert len(words(remedy)) >= 3, subject + ": the remedy says nothing to do"
        explained[subject] = line

missing = sorted(set(errors) - set(explained))
assert not missing, "not explained: " + ", ".join(missing)

longest = max(len(line) for line in explained.values())
print(f"{len(errors)} errors in {len(events)} events, each explained in at most {longest} characters")
