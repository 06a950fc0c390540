"""Prompts, resources and completions that the suite asks for; this gateway has none of its own."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from productive_gateway.mcp.server import Context

IMAGE: Final = types.ImageContent(
    type="image",
    data="iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==",
    mime_type="image/png",
)
NAME_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
}
_TEMPLATE: Final = re.compile(r"test://template/([^/]+)/data")
_TEXTS: Final = {
    "test://static-text": "This is the content of the static text resource.",
    "test://watched-resource": "Watched resource content.",
}
_BINARY: Final = "test://static-binary"
_PROMPTS: Final[dict[str, tuple[str, ...]]] = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}


def embedded(uri: str, text: str, mime_type: str = "text/plain") -> types.EmbeddedResource:
    """Return a resource as part of a content."""
    contents = types.TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return types.EmbeddedResource(type="resource", resource=contents)


def elicitation(message: str, schema: dict[str, Any] = NAME_SCHEMA) -> types.ElicitRequest:
    """Return a question for the user."""
    form = types.ElicitRequestFormParams(message=message, requested_schema=schema)
    return types.ElicitRequest(params=form)


def add_content(server: Server[dict[str, Any]]) -> None:
    """Let a server answer for prompts, resources and completions, which never change."""
    paged = types.PaginatedRequestParams
    server.add_request_handler("prompts/list", paged, _list_prompts)
    server.add_request_handler("prompts/get", types.GetPromptRequestParams, _get_prompt)
    server.add_request_handler("resources/list", paged, _list_resources)
    server.add_request_handler("resources/templates/list", paged, _list_templates)
    server.add_request_handler("resources/read", types.ReadResourceRequestParams, _read_resource)
    server.add_request_handler("resources/subscribe", types.SubscribeRequestParams, _accept)
    server.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, _accept)
    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, _accept)
    server.add_request_handler("completion/complete", types.CompleteRequestParams, _complete)
    capabilities = server.get_capabilities

    def unchanging(*given: Any, **named: Any) -> types.ServerCapabilities:
        found = capabilities(*given, **named)
        if named.get("protocol_version") in MODERN_PROTOCOL_VERSIONS:
            found.prompts = types.PromptsCapability()
            found.resources = types.ResourcesCapability()
        return found

    server.get_capabilities = unchanging  # type: ignore[method-assign]


async def _accept(ctx: Context, params: object) -> types.EmptyResult:
    return types.EmptyResult()


async def _complete(ctx: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
    return types.CompleteResult(completion=types.Completion(values=[], total=0, has_more=False))


async def _list_prompts(
    ctx: Context,
    params: types.PaginatedRequestParams,
) -> types.ListPromptsResult:
    prompts = [
        types.Prompt(
            name=name,
            description="A prompt of the suite.",
            arguments=[types.PromptArgument(name=one, required=True) for one in arguments],
        )
        for name, arguments in _PROMPTS.items()
    ]
    return types.ListPromptsResult(prompts=prompts)


async def _get_prompt(
    ctx: Context,
    params: types.GetPromptRequestParams,
) -> types.GetPromptResult | types.InputRequiredResult:
    given = params.arguments or {}
    if params.name not in _PROMPTS or not set(_PROMPTS[params.name]) <= set(given):
        raise MCPError(code=types.INVALID_PARAMS, message="No such prompt, or it lacks arguments.")
    match params.name:
        case "test_prompt_with_arguments":
            values = ", ".join(f"{name}='{given[name]}'" for name in _PROMPTS[params.name])
            return _prompt(_text(f"Prompt with arguments: {values}"))
        case "test_prompt_with_embedded_resource":
            resource = embedded(given["resourceUri"], "Embedded resource content for testing.")
            return _prompt(resource, _text("Please process the embedded resource above."))
        case "test_prompt_with_image":
            return _prompt(IMAGE, _text("Please analyze the image above."))
        case "test_input_required_result_prompt":
            return _asking_prompt((params.input_responses or {}).get("user_context"))
        case _:
            return _prompt(_text("This is a simple prompt for testing."))


def _asking_prompt(answer: object) -> types.GetPromptResult | types.InputRequiredResult:
    if isinstance(answer, types.ElicitResult) and answer.content:
        return _prompt(_text(f"Use the following context: {answer.content.get('context')}"))
    schema = {
        "type": "object",
        "properties": {"context": {"type": "string"}},
        "required": ["context"],
    }
    question = elicitation("What context should the prompt use?", schema)
    return types.InputRequiredResult(input_requests={"user_context": question})


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)


def _prompt(*contents: types.ContentBlock) -> types.GetPromptResult:
    messages = [types.PromptMessage(role="user", content=one) for one in contents]
    return types.GetPromptResult(messages=messages)


async def _list_resources(
    ctx: Context,
    params: types.PaginatedRequestParams,
) -> types.ListResourcesResult:
    return types.ListResourcesResult(
        resources=[types.Resource(uri=uri, name=uri) for uri in (*_TEXTS, _BINARY)]
    )


async def _list_templates(
    ctx: Context,
    params: types.PaginatedRequestParams,
) -> types.ListResourceTemplatesResult:
    template = types.ResourceTemplate(uri_template="test://template/{id}/data", name="template")
    return types.ListResourceTemplatesResult(resource_templates=[template])


async def _read_resource(
    ctx: Context,
    params: types.ReadResourceRequestParams,
) -> types.ReadResourceResult:
    uri = str(params.uri)
    contents: types.TextResourceContents | types.BlobResourceContents
    if uri in _TEXTS:
        contents = types.TextResourceContents(uri=uri, mime_type="text/plain", text=_TEXTS[uri])
    elif uri == _BINARY:
        contents = types.BlobResourceContents(uri=uri, mime_type="image/png", blob=IMAGE.data)
    elif found := _TEMPLATE.fullmatch(uri):
        text = json.dumps({"id": found[1], "data": f"Data for ID: {found[1]}"})
        contents = types.TextResourceContents(uri=uri, mime_type="application/json", text=text)
    else:
        raise MCPError(
            code=types.INVALID_PARAMS, message="There is no such resource.", data={"uri": uri}
        )
    return types.ReadResourceResult(contents=[contents])
