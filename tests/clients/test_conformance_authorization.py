"""The authorization suite of @modelcontextprotocol/conformance, at the pinned version."""

from __future__ import annotations

import json
import re

import httpx

from harness.forms import follow
from harness.npm import node, program
from harness.processes import eventually, free_port
from harness.standalone import ANA, standalone

SCENARIOS = {"authorization-server-metadata-endpoint", "authorization-code-grant"}


def test_authorization_suite_passes() -> None:
    with standalone() as site:
        site.start_dev_provider()
        site.start_gateway()
        port = free_port()
        callback = f"http://127.0.0.1:{port}/callback"
        document = {"redirect_uris": [callback], "token_endpoint_auth_method": "none"}
        client = httpx.post(f"{site.url}/register", json=document, trust_env=False).json()
        suite = site.start(
            "conformance",
            node(),
            program("conformance"),
            "authorization",
            f"--url={site.url}",
            f"--client-id={client['client_id']}",
            f"--resource={site.mcp_url}",
            f"--port={port}",
            f"--output-dir={site.folder / 'results'}",
            settings={"PATH": str(node().parent)},
        )
        opened: set[str] = set()

        def ended() -> bool:
            for address in re.findall(rf"{re.escape(site.url)}/authorize\?\S+", suite.output()):
                if address not in opened:
                    opened.add(address)
                    httpx.get(follow(address, {"email": ANA}, until=callback), trust_env=False)
            return not suite.running

        eventually(ended, seconds=60, what="the end of the suite")
        results = {
            file.parent.name: json.loads(file.read_text())
            for file in (site.folder / "results").rglob("checks.json")
        }
        failed = [
            check
            for checks in results.values()
            for check in checks
            if check["status"] not in {"SUCCESS", "INFO"}
        ]
        assert not failed, json.dumps(failed, indent=1)
        found = {name for name in SCENARIOS for folder in results if name in folder}
        assert found == SCENARIOS, suite.output()
        assert suite.wait() == 0, suite.output()
