"""What `autoagent plugins check documents` searches and reads."""

from __future__ import annotations

from autoagent.testing import Rehearsal

rehearsal = Rehearsal(
    files={
        "guide.md": "# Boiling\n\nWater boils at 100 degrees.\n\n# Freezing\n\nIt freezes at 0 degrees.\n",
        "page.html": "<h1>Steam</h1><p>Steam is water as a gas.</p>",
    },
    examples={
        "documents_search": [{"query": "water boils"}],
        "documents_read": [{"path": "guide.md", "page": "Freezing"}, {"path": "page.html"}],
    },
    starts=("python",),  # reads documents where they can do no harm
)
