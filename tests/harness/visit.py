"""What a person does with the product: connects an assistant, signs in, and logs time."""

from __future__ import annotations

from typing import Any

from harness.browser import chromium
from harness.installation import ANA, Installation
from harness.sdkclient import Assistant

MINUTES = 90


async def logs_time(installation: Installation, *, mode: Any = "auto") -> Assistant:
    """Let Ana connect a new assistant, sign in, and log time; return the assistant.

    Raises:
        AssertionError: a tool failed, or Productive does not have the entry.
    """
    services = installation.services
    before = services.entries()
    async with chromium(*services.chromium_flags) as browser:
        assistant = installation.assistant(ANA, browser, mode=mode)
        async with assistant.connected() as client:
            me = await client.call_tool("get_me", {})
            entry = {"project": "Website relaunch", "service": "16880011", "hours": MINUTES / 60}
            logged = await client.call_tool(
                "log_time", {"entries": [{**entry, "allow_duplicate": True}]}
            )
    assert me.structured_content["person"]["id"] == "9104"
    assert logged.structured_content["results"][0]["ok"], logged.content
    assert assistant.sign_ins == 1
    [new] = [one for one in services.entries() if one not in before]
    assert (new["time"], new["person"], new["service"]) == (MINUTES, "9104", "16880011")
    return assistant
