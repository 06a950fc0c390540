"""A cluster whose certificate authority has no key identifiers, as older and home-made ones.

Python refuses such a chain by default from 3.13 on (RFC 5280 4.2.1.1 and 4.2.1.2), which is the
Python of our images. `tests/cluster` tests the same with processes of any Python, made as strict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx
import pytest
from cryptography import x509

from harness.caller import Caller
from harness.installation import Installation
from harness.terminal import Terminal
from harness.visit import logs_time

RUNS_ON = "no-key-identifiers"
CLUSTERS = ("kind",)
FINDS_API_SERVER = False
CONNECT = """
import os, socket, ssl
context = ssl.create_default_context(
    cafile="/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
try:
    context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
except ssl.SSLCertVerificationError as error:
    print(error.verify_message)
"""
GONE_SECONDS = 10


def test_the_authority_has_no_key_identifiers(
    installation: Installation, terminal: Terminal
) -> None:
    published = terminal.found("kubectl get configmap kube-root-ca.crt -n productive -o json")
    authority = x509.load_pem_x509_certificate(published["data"]["ca.crt"].encode())
    identifiers = {x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier}
    assert not identifiers & {type(one.value) for one in authority.extensions}


@pytest.mark.parametrize("component", ["gateway", "operator"])
def test_the_python_of_the_image_refuses_it_by_default(
    installation: Installation, terminal: Terminal, component: str
) -> None:
    [pod, *_] = installation.names(component)
    line = f"kubectl exec -n productive {pod} -c {component} -- python -c '{CONNECT}'"
    assert "Key Identifier" in terminal(line)


async def test_a_person_signs_in_and_is_refused_when_removed(
    installation: Installation, people: Sequence[str], terminal: Terminal
) -> None:
    assistant = await logs_time(installation)
    [ana] = people
    terminal(f"kubectl delete pu {ana} -n productive-users")
    # The watches of the operator, and then those of the gateways, bring the removal.
    async with Caller(assistant) as caller, asyncio.timeout(GONE_SECONDS):
        while (answer := await caller.ask()).status_code != httpx.codes.UNAUTHORIZED:
            assert answer.status_code == httpx.codes.OK, answer.text
