"""What autoagent expects of every plugin, tried out: `autoagent plugins check` and `PluginContract`.

Tools are called in a process of their own, in an empty home, on files in memory. Each file that they open,
each connection and each program that they start is heard of through Python's audit hooks; what a native
library does by itself isn't. Nothing beyond loopback is reached, unless the person says so.
"""
