"""What `autoagent plugins check web` searches with and reads."""

from __future__ import annotations

import json

from autoagent.testing import HttpAnswer, HttpRequest, HttpWorld, Rehearsal

_PAGE = b"""<html><head><title>Tea</title></head><body><main><h1>Tea</h1>
<p>Tea is an aromatic drink that is made by pouring hot water over leaves of Camellia sinensis.</p>
</main></body></html>"""


class Web(HttpWorld):
    """A search engine that answers in JSON, and one page."""

    def answer(self, request: HttpRequest) -> HttpAnswer:
        match request.path.partition("?")[0]:
            case "/search":
                results = [{"title": "Tea", "url": f"{self.url}/tea", "content": "An aromatic drink"}]
                return HttpAnswer(200, json.dumps({"results": results}).encode(), "application/json")
            case "/tea":
                return HttpAnswer(200, _PAGE, "text/html; charset=utf-8")
            case _:
                return HttpAnswer(404, b"nothing here")


rehearsal = Rehearsal(
    world=Web,
    settings={"providers": ["searx"], "searx_url": "{url}", "seconds_between_requests": 0},
    examples={"web_search": [{"query": "tea"}], "web_read": [{"url": "{url}/tea"}]},
    starts=("python",),  # reads pages where they can do no harm
)
