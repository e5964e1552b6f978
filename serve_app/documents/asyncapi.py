"""The AsyncAPI document: the live protocol, and the topic with the score log where that is on Kafka.

Operations are Palio's: it receives what clients send. Addresses of servers are those that clients are told; of Kafka they stand with
whoever runs it.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from actors.domain.signing import TOPIC
from serve_app.documents.schemas import MESSAGES, SIGNED, Described, components
from serve_app.live.protocol import SUBPROTOCOL

VERSION: Final = "3.0.0"
_LIVE: Final = [each for each in MESSAGES if each.of == "live"]
_TOPIC: Final = [each for each in MESSAGES if each.of == "topic"]
_ANSWERS: Final = ("ok", "error")
_TEXT: Final = {"type": "string"}
_CONTROL_HEADERS: Final = {
    "type": "object",
    "required": ["palio-signature"],
    "properties": {
        "palio-signature": _TEXT
        | {
            "description": "`<key id>:<hex HMAC-SHA256>` over topic, key, value and key id; without it a record is refused."
        },
        "palio-reply-to": _TEXT | {"description": "The channel of updates that is told the outcome."},
    },
}
_LETTER_HEADERS: Final = {
    "type": "object",
    "required": ["palio-reason", "palio-partition", "palio-offset", "palio-time-ms"],
    "properties": {
        "palio-reason": _TEXT | {"description": "Why it was not applied, as a stable code."},
        "palio-detail": _TEXT | {"description": "The same for people."},
        "palio-partition": _TEXT | {"description": "Where it was; decimal."},
        "palio-offset": _TEXT | {"description": "Where it was; decimal."},
        "palio-time-ms": _TEXT | {"description": "When it was appended, in ms since 1970; decimal."},
    },
}
_KEY: Final = {
    "type": "string",
    "pattern": "^[1-9][0-9]{0,18}$",
    "description": "The tournament's id in decimal. It is placed by murmur2, as Java's client does by default.",
}


def asyncapi_document(version: str, live_url: str) -> dict[str, Any]:
    """The document. `version` is Palio's; `live_url`: where clients are told to find the live socket."""
    live = urlsplit(live_url)
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Palio",
            "version": version,
            "description": (
                "Score tournaments, ranked live: the live socket's messages, and the records of the score log on Kafka. "
                "The HTTP API is described by `/openapi.json`, each message by a JSON Schema of its own in `/schemas/`."
            ),
            "license": {"name": "Apache License 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "gateway": {
                "host": live.netloc,
                "protocol": live.scheme,
                "description": f"A gateway. The subprotocol is `{SUBPROTOCOL}`, or none.",
            },
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "Where Palio's log is on Kafka; else records are in its own files.",
                "variables": {"bootstrap": {"default": "127.0.0.1:9092", "description": "Host and port of a broker."}},
            },
        },
        "channels": {
            "live": {
                "address": live.path,
                "servers": [{"$ref": "#/servers/gateway"}],
                "description": "A WebSocket; each message is JSON in a text frame.",
                "messages": {each.name: {"$ref": f"#/components/messages/{each.name}"} for each in _LIVE},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            },
            "scores": {
                "address": TOPIC,
                "servers": [{"$ref": "#/servers/kafka"}],
                "description": (
                    "The score log, in the order that decides. Scores are anyone's to produce who may write to the topic; "
                    "the other records are Palio's own."
                ),
                "messages": {each.name: {"$ref": f"#/components/messages/{each.name}"} for each in _TOPIC},
                "bindings": {"kafka": {"topic": TOPIC, "partitions": 50, "bindingVersion": "0.5.0"}},
            },
            "dead-letters": {
                "address": f"{TOPIC}-dlq",
                "servers": [{"$ref": "#/servers/kafka"}],
                "description": "What could not be applied, as it was, with the reason.",
                "messages": {"dead-letter": {"$ref": "#/components/messages/dead-letter"}},
            },
        },
        "operations": _operations(),
        "components": {
            "messages": {each.name: _message(each) for each in MESSAGES} | {"dead-letter": _dead_letter()},
            "schemas": components("#/components/schemas/{name}"),
        },
    }


def _message(described: Described) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": described.name,
        "summary": described.description.split("\n\n")[0],
        "payload": {"$ref": f"#/components/schemas/{described.type.__name__}"},
    }
    if described.of == "topic":
        message["bindings"] = {"kafka": {"key": _KEY, "bindingVersion": "0.5.0"}}
    if described.name in SIGNED:
        message["headers"] = _CONTROL_HEADERS
    return message


def _dead_letter() -> dict[str, Any]:
    return {
        "name": "dead-letter",
        "summary": "The record's key, value and headers as they were, whatever they are, and why it was not applied.",
        "contentType": "application/octet-stream",
        "headers": _LETTER_HEADERS,
    }


def _operations() -> dict[str, Any]:
    answers = [_of_channel("live", name) for name in _ANSWERS]
    operations: dict[str, Any] = {
        each.name: {
            "action": "receive",
            "channel": {"$ref": "#/channels/live"},
            "summary": each.description.split("\n\n")[0],
            "messages": [_of_channel("live", each.name)],
            "reply": {"channel": {"$ref": "#/channels/live"}, "messages": answers},
        }
        for each in _LIVE
        if each.sent_by == "client"
    }
    sent = [each.name for each in _LIVE if each.sent_by == "palio" and each.name not in _ANSWERS]
    return operations | {
        "tell": _operation("send", "live", "What Palio tells without being asked each time.", sent),
        "take-scores": _operation(
            "receive",
            "scores",
            "Scores of trusted producers.",
            [each.name for each in _TOPIC if each.sent_by == "anyone"],
        ),
        "write-records": _operation("send", "scores", "What Palio itself writes.", [each.name for each in _TOPIC]),
        "put-aside": _operation("send", "dead-letters", "What could not be applied.", ["dead-letter"]),
    }


def _operation(action: str, channel: str, summary: str, messages: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [_of_channel(channel, name) for name in messages],
    }


def _of_channel(channel: str, message: str) -> dict[str, str]:
    return {"$ref": f"#/channels/{channel}/messages/{message}"}
