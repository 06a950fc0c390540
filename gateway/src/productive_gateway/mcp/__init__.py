"""The MCP endpoint: authentication, prebuilt answers, plain calls, and the SDK's server."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from pydantic import BaseModel

from productive_contract.deferred import defer

# Its low-level server is used. Left to themselves these would import its client and MCPServer.
defer("mcp", "mcp.server")


@contextmanager
def _models_built_at_first_use() -> Iterator[None]:
    """Let pydantic build the validator of a model that is defined in the block when it is used."""
    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]


# The unions of `mcp_types` are built on import, whatever its models are: it is imported as usual.
# Of the 300 models of the revisions a gateway uses a dozen, each built in a millisecond or two.
import_module("mcp_types")
with _models_built_at_first_use():
    import_module("mcp_types.methods")
