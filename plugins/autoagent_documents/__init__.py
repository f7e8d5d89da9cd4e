"""Documents: folders of PDF, Office, HTML and Markdown files, searched by their words, with page and span.

The plugin is in `tools`. Nothing is imported here: the process that parses documents starts with this
package, and has no use for the rest of autoagent.
"""
