"""Hands one notification to one address. The only importer of `apprise`, which takes half a second."""

from __future__ import annotations

import logging

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

_TIMEOUT_S = 20.0

logging.getLogger("apprise").setLevel(
    logging.CRITICAL + 1
)  # it logs addresses that it can't read, secrets too


def send(url: str, title: str, body: str, is_good: bool) -> str:
    """Empty, or why it wasn't taken: never with the address, which holds secrets."""
    asset = AppriseAsset(
        app_id="autoagent",
        app_desc="autoagent",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        plugin_paths=[],  # no code from elsewhere
        allow_templates=False,
    )
    kind = _scheme(url)
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        return f"{kind}, is no address that apprise knows"
    post = Apprise(asset=asset)
    post.add(service)
    taken = post.notify(
        body=body,
        title=title,
        notify_type=NotifyType.SUCCESS if is_good else NotifyType.INFO,
        body_format=NotifyFormat.TEXT,
        interpret_escapes=False,
        timeout=_TIMEOUT_S,
    )
    return "" if taken else f"{kind}, did not take it"


def _scheme(url: str) -> str:
    scheme, mark, _ = url.partition("://")
    return scheme if mark and scheme.isalnum() else "without ://"
