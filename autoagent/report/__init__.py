"""One run as a page: a file that a manager can read and an engineer can audit, made from its journal.

`facts` gathers what the page says, `charts` places what it draws, `page` writes HTML. The page asks for
nothing: no script, no request, no font. All foreign text is escaped in one place, `page`.
"""

from autoagent.report.facts import Report, gathered
from autoagent.report.page import page

__all__ = ["Report", "gathered", "page"]
