"""Fakes and servers for tests, ours and yours: no key, no network beyond loopback."""
