"""What `autoagent plugins check openapi` describes and asks: a shop with two operations."""

from __future__ import annotations

import json

from autoagent.testing import HttpAnswer, HttpRequest, HttpWorld, Rehearsal

_TEXT = {"type": "string"}
_SAID = {"200": {"description": "Said", "content": {"application/json": {"schema": {"type": "object"}}}}}
_ITEM = {"type": "object", "required": ["name"], "properties": {"name": {**_TEXT, "description": "Its name"}}}
_DESCRIPTION = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {
        "/items": {
            "get": {
                "operationId": "find_items",
                "summary": "Find items by name",
                "parameters": [
                    {"name": "name", "in": "query", "schema": _TEXT, "description": "A part of it"}
                ],
                "responses": _SAID,
            },
            "post": {
                "operationId": "add_item",
                "summary": "Add an item to the shop",
                "requestBody": {"required": True, "content": {"application/json": {"schema": _ITEM}}},
                "responses": _SAID,
            },
        }
    },
}


class Shop(HttpWorld):
    """Describes itself, and takes what is added."""

    def answer(self, request: HttpRequest) -> HttpAnswer:
        if request.path == "/openapi.json":
            return HttpAnswer(200, json.dumps(_DESCRIPTION).encode(), "application/json")
        if request.path.startswith("/items"):
            return HttpAnswer(200, b'{"name": "tea"}', "application/json")
        return HttpAnswer(404, b"nothing here")


rehearsal = Rehearsal(
    world=Shop,
    settings={
        "services": {"shop": {"description": "{url}/openapi.json", "server": "{url}", "idempotent": True}}
    },
    examples={"shop_find_items": [{"name": "te"}], "shop_add_item": [{"name": "tea"}]},
)
