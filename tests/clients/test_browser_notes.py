"""What a failing browser test says."""

from __future__ import annotations

import pytest

from harness.browser import chromium


async def fail_at_a_page() -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await page.set_content("<h1>Sign in</h1><p hidden>unseen</p>")
        raise LookupError("the reason")


async def test_failure_says_what_the_open_pages_show() -> None:
    with pytest.raises(LookupError, match="the reason") as failed:
        await fail_at_a_page()
    assert failed.value.__notes__ == ["about:blank shows:\nSign in"]
