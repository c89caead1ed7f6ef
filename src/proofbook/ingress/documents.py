"""The registry as documents: OpenRPC, AsyncAPI, and a page for people."""

from functools import cache
from typing import Any

import msgspec

from proofbook.api.errors import REJECT_CODES, Refusal
from proofbook.api.schema import Error, Notice
from proofbook.ingress.registry import CHANNELS, Channel, Method, Section, methods
from proofbook.protocol.limits import PROTOCOL_VERSION

OPENRPC_VERSION = "1.3.2"
ASYNCAPI_VERSION = "3.0.0"
TITLE = "Proofbook"
SCHEMAS = "#/components/schemas/{name}"
WRITTEN = "Written by tools/reference.py from src/proofbook/ingress/registry.py: do not edit."

SECTIONS = {
    Section.READ: "Reading",
    Section.HISTORY: "Histories",
    Section.SIGNED: "Signed",
    Section.PRICES: "Publishers",
    Section.CONNECTION: "The connection",
    Section.DEVELOPMENT: "Development venues",
}


@cache
def openrpc() -> bytes:
    """Return the methods as an OpenRPC document."""
    listed = methods()
    types = [method.params for method in listed] + [method.result for method in listed]
    schemas, components = msgspec.json.schema_components([*types, Error], ref_template=SCHEMAS)
    rows = zip(listed, schemas[: len(listed)], schemas[len(listed) : -1], strict=True)
    document = {
        "openrpc": OPENRPC_VERSION,
        "info": {"title": TITLE, "version": str(PROTOCOL_VERSION), "description": WRITTEN},
        "methods": [_method(method, params, result, components) for method, params, result in rows],
        "components": {"schemas": components, "errors": _errors()},
    }
    return pretty(document)


@cache
def asyncapi() -> bytes:
    """Return the channels as an AsyncAPI document."""
    types = [Notice[channel.data] for channel in CHANNELS]  # type: ignore[name-defined]
    schemas, components = msgspec.json.schema_components(types, ref_template=SCHEMAS)
    rows = list(zip(CHANNELS, schemas, strict=True))
    document = {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {"title": TITLE, "version": str(PROTOCOL_VERSION), "description": WRITTEN},
        "defaultContentType": "application/json",
        "channels": {channel.kind: _channel(channel, schema) for channel, schema in rows},
        "operations": {
            f"receive_{channel.kind}": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{channel.kind}"},
                "summary": channel.summary,
            }
            for channel in CHANNELS
        },
        "components": {"schemas": components},
    }
    return pretty(document)


def page() -> str:
    """Return the methods, channels and errors as Markdown."""
    lines = ["# Methods", "", f"{WRITTEN}", ""]
    lines += ["[OpenRPC](openrpc.json), also by `rpc.discover`; [AsyncAPI](asyncapi.json) for the"]
    lines += ["channels; [the interface](interface.md) says what they mean.", ""]
    for section, heading in SECTIONS.items():
        lines += [f"## {heading}", "", "| method | params | result | |", "|---|---|---|---|"]
        listed = (method for method in methods() if method.section == section)
        lines += [_line(method) for method in listed if not method.name.endswith("_debug")]
        lines += [""]
    lines += [
        "Each signed method `NAME` but `submit` has a `NAME_debug`, with the same params.",
        "",
    ]
    lines += ["## Channels", "", "| channel | data | |", "|---|---|---|"]
    lines += [
        f"| `{channel.kind}.{channel.subject}` | {channel.data.__name__} | {channel.summary} |"
        for channel in CHANNELS
    ]
    lines += ["", "## Codes of errors", "", "| code | reason |", "|---|---|"]
    lines += [f"| {refusal.value} | {refusal.name} |" for refusal in Refusal]
    lines += [f"| {REJECT_CODES} + n | reason n of [outcomes](outcomes.md) |", ""]
    return "\n".join(lines)


def pretty(document: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _method(
    method: Method, params: dict[str, Any], result: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    schema = components[params["$ref"].rpartition("/")[2]]
    required = set(schema.get("required", []))
    return {
        "name": method.name,
        "summary": method.summary,
        "tags": [{"name": method.section.value}],
        "paramStructure": "by-name",
        "params": [
            {"name": name, "required": name in required, "schema": member}
            for name, member in schema["properties"].items()
        ],
        "result": {"name": "result", "schema": result},
    }


def _channel(channel: Channel, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": f"{channel.kind}.{{subject}}",
        "description": channel.summary,
        "parameters": {"subject": {"description": channel.subject}},
        "messages": {"notice": {"payload": schema}},
    }


def _errors() -> dict[str, Any]:
    """Return the interface's own codes; the protocol's, 1000 + n, are in outcomes.md."""
    return {r.name: {"code": r.value, "message": r.name} for r in Refusal}


def _line(method: Method) -> str:
    params = ", ".join(_member(field) for field in msgspec.structs.fields(method.params))
    result = _name(method.result)
    return f"| `{method.name}` | {params or '–'} | {result} | {method.summary} |"


def _member(field: msgspec.structs.FieldInfo) -> str:
    return field.encode_name if field.required else f"[{field.encode_name}]"


def _name(result: Any) -> str:
    arguments = getattr(result, "__args__", ())
    return f"list of {arguments[0].__name__}" if arguments else result.__name__
