"""Makes the key ring of a new installation.

`productive-gateway keys init`, run by a hook Job, creates the Secret. The Job may create Secrets
and read this one. It never changes a ring that exists: another one would sign everybody out.

`productive-gateway keys new` and `keys rotate --print` print the Secret as a manifest, for those
who keep their Secrets encrypted in git or in a vault.
"""

from __future__ import annotations

import base64
import textwrap
from typing import Any, Final

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_contract.names import KEY_RING_KEY, KEY_RING_TYPE
from productive_gateway.sealing.errors import KeyRingError
from productive_gateway.sealing.keys import KeyRing, encode_ring, new_ring, parse_ring
from productive_kube.client import KubeClient
from productive_kube.collection import secret_data
from productive_kube.errors import AlreadyExists

PART_OF: Final = "app.kubernetes.io/part-of"


async def init_key_ring(
    client: KubeClient,
    namespace: str,
    name: str,
    *,
    clock: Clock = system_clock,
    entropy: Entropy = system_entropy,
) -> str:
    """Create the key ring Secret unless there is one; returns a message that says what was done.

    Raises:
        ApiError: the API server refused or cannot be reached.
        KeyRingError: a Secret of that name exists and cannot be used as a key ring.
    """
    path = f"/api/v1/namespaces/{namespace}/secrets"
    try:
        await client.create(path, _secret(name, encode_ring(new_ring(clock(), entropy))))
    except AlreadyExists:
        return _left_alone(namespace, name, await client.get(f"{path}/{name}"))
    return f"Made the key ring {namespace}/{name}."


def key_ring_manifest(ring: KeyRing, name: str, namespace: str | None) -> str:
    """Return the manifest (YAML) of a key ring Secret.

    Args:
        ring: its content.
        name: of the Secret, a valid name of an object.
        namespace: of the Secret; None: the one that `kubectl` applies it to.
    """
    document = encode_ring(ring).decode()
    # Quoted: a name such as 1e3 or true would be a number or a boolean.
    place = f'  namespace: "{namespace}"\n' if namespace else ""
    return (
        "apiVersion: v1\n"
        "kind: Secret\n"
        "metadata:\n"
        f'  name: "{name}"\n{place}'
        f"  labels:\n    {PART_OF}: productive-mcp\n"
        f"type: {KEY_RING_TYPE}\n"
        "stringData:\n"
        f"  {KEY_RING_KEY}: |\n{textwrap.indent(document, '    ')}\n"
    )


def _secret(name: str, document: bytes) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": KEY_RING_TYPE,
        "metadata": {"name": name, "labels": {PART_OF: "productive-mcp"}},
        "data": {KEY_RING_KEY: base64.b64encode(document).decode()},
    }


def _left_alone(namespace: str, name: str, secret: dict[str, Any]) -> str:
    """Check that the gateway can use the ring that is there; returns a message about it.

    An upgrade that went on with a broken ring would replace gateways that still hold a good one.
    """
    document = secret_data(secret).get(KEY_RING_KEY)
    if document is None:
        raise KeyRingError(
            f"the Secret {namespace}/{name} exists but has no {KEY_RING_KEY}, so it is not a key "
            "ring; delete it, or give the key ring another name"
        )
    ring = parse_ring(document)
    return (
        f"The key ring {namespace}/{name} exists and was left as it is "
        f"(keys: {len(ring.keys)}, current: {ring.current}, epoch: {ring.epoch})."
    )
