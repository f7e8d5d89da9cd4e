"""The user's folder: the only code that opens it.

`scan` turns the folder into a tree, `project` turns a tree into the folder. Every open goes through a
folder's descriptor and follows no link, so nothing outside can be reached, whatever is swapped meanwhile.
"""

from __future__ import annotations

from autoagent.folder.local import LocalFolder

__all__ = ["LocalFolder"]
