"""What a run tells people on a terminal or in a log, and how it asks there.

Every text on its way to a person is a `Line`, and a `Line` makes what it holds harmless when it is drawn: no
other module here escapes anything, and none writes to a stream but `screen`.
"""
