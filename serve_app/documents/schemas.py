"""JSON Schemas (2020-12) of the topic's records and of the live messages, made from the types that read and write them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, get_args

import msgspec

from actors.domain.messages import ScoreEvent, ScoreWire, Tick
from actors.domain.messages.wire import Control
from actors.domain.notices.events import NoticeMessage
from actors.domain.publications import SnapshotMessage, UpdateMessage
from serve_app.live.protocol import (
    AuthMessage,
    ErrorMessage,
    MeMessage,
    OkMessage,
    SignedOutMessage,
    SubmitMessage,
    SubscribeMessage,
    UnsubscribedMessage,
    UnsubscribeMessage,
)

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class Described(NamedTuple):
    """A message by its name in `/schemas/` and in the AsyncAPI document: `of` the topic's records or the live messages, who sends it."""

    name: str
    of: str
    sent_by: str
    type: Any

    @property
    def description(self) -> str:
        """What its type says of itself."""
        return inspect.cleandoc(self.type.__doc__)


def _control_name(record: Any) -> str:
    return f"{record.__struct_config__.tag.replace('_', '-')}-record"


MESSAGES: Final = (
    Described("score-record", "topic", "anyone", ScoreWire),
    Described("score-event", "topic", "anyone", ScoreEvent),
    *(Described(_control_name(record), "topic", "palio", record) for record in (*get_args(Control), Tick)),
    Described("auth", "live", "client", AuthMessage),
    Described("subscribe", "live", "client", SubscribeMessage),
    Described("unsubscribe", "live", "client", UnsubscribeMessage),
    Described("submit", "live", "client", SubmitMessage),
    Described("ok", "live", "palio", OkMessage),
    Described("error", "live", "palio", ErrorMessage),
    Described("snapshot", "live", "palio", SnapshotMessage),
    Described("update", "live", "palio", UpdateMessage),
    Described("me", "live", "palio", MeMessage),
    Described("notice", "live", "palio", NoticeMessage),
    Described("unsubscribed", "live", "palio", UnsubscribedMessage),
    Described("signed-out", "live", "palio", SignedOutMessage),
)
SIGNED: Final = frozenset(_control_name(record) for record in get_args(Control))  # what carries a signature


def components(ref_template: str, described: Iterable[Described] = MESSAGES) -> dict[str, Any]:
    """The schemas of messages, and of what they use, by the names of their types. `ref_template`: how they refer to each other."""
    types = [each.type for each in described]
    found: dict[str, Any] = msgspec.json.schema_components(types, ref_template=ref_template)[1]
    return {name: _plain(schema) for name, schema in found.items()}


def schema(message: Described) -> dict[str, Any]:
    """The schema of one message, with all that it uses in it."""
    definitions = components("#/$defs/{name}", [message])
    whole = definitions.pop(message.type.__name__)
    return {"$schema": DIALECT, **whole} | ({"$defs": definitions} if definitions else {})


def index(messages: Iterable[Described] = MESSAGES) -> dict[str, Any]:
    """What `/schemas/` lists; `url` is relative to it."""
    return {
        "schemas": [
            {
                "name": each.name,
                "of": each.of,
                "sent_by": each.sent_by,
                "description": each.description,
                "url": f"{each.name}.json",
            }
            for each in messages
        ]
    }


def _plain(schema: Any) -> Any:
    """A schema without what OpenAPI alone knows: alternatives are told apart by the constants of their tags."""
    if isinstance(schema, Mapping):
        told = {
            name: _plain(value)
            for name, value in schema.items()
            if not (name == "discriminator" and isinstance(value, Mapping) and "propertyName" in value)
        }
        if isinstance(told.get("description"), str):
            told["description"] = inspect.cleandoc(told["description"])
        return told
    return [_plain(each) for each in schema] if isinstance(schema, list) else schema
