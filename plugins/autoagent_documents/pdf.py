"""PDF, page by page. The only importer of `pypdf`, in the process that parses."""

from __future__ import annotations

import io

import pypdf
from pypdf.errors import PyPdfError

from autoagent_documents.pages import Page, Unreadable, limited

# typesetters' signs for pairs of letters, by which nobody searches, and hyphens that aren't shown
_LETTERS = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00ad": None}
)
_LOCKED = "it is encrypted; save a copy without its password"


class Pdf:
    """A PDF that was opened. Pages are parsed one at a time: a thousand of them take half a minute."""

    def __init__(self, data: bytes) -> None:
        """Raises `Unreadable`."""
        try:
            self._reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
            if self._reader.is_encrypted and not self._reader.decrypt(""):
                raise Unreadable(_LOCKED)
            self.total = len(self._reader.pages)
        except (PyPdfError, NotImplementedError) as error:
            locked = type(error).__name__ in ("DependencyError", "FileNotDecryptedError")
            raise Unreadable(_LOCKED if locked else f"it is no whole PDF ({error})") from error

    def page(self, index: int) -> Page:
        name = str(index + 1)
        try:
            text = self._reader.pages[index].extract_text()
        except (MemoryError, RecursionError):
            raise
        except Exception as error:  # a broken page raises anything; the others can still be read
            return Page(name, "", problem=f"{type(error).__name__}: {error}"[:200])
        return limited(Page(name, text.strip("\n").translate(_LETTERS)))
