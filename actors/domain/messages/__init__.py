"""What records say: the JSON of the log's values. Each field and limit is declared here, what it means beside what it is about.

Nothing below this package imports a module of the domain beyond `values`, `errors` and the rules of `prizes`, since all of them import this.
"""

from actors.domain.messages.control import (
    Begin,
    Cancel,
    Claim,
    Create,
    Edit,
    End,
    Invite,
    Join,
    Leave,
    Open,
    RevokeInvitation,
    ScoreWire,
    Standings,
    Start,
    Tick,
    Written,
)
from actors.domain.messages.fields import LONGEST_MS, MAX_USES, RULES_VERSION, Command, Record, UserCommand
from actors.domain.messages.prizes import ApprovePrizes
from actors.domain.messages.spec import Changes, Display, Spec, needed_rules
from actors.domain.messages.wire import (
    MAX_VALUE_BYTES,
    Control,
    Message,
    decode_value,
    encode_message,
    encode_score,
    score_values,
)

__all__ = [
    "LONGEST_MS",
    "MAX_USES",
    "MAX_VALUE_BYTES",
    "RULES_VERSION",
    "ApprovePrizes",
    "Begin",
    "Cancel",
    "Changes",
    "Claim",
    "Command",
    "Control",
    "Create",
    "Display",
    "Edit",
    "End",
    "Invite",
    "Join",
    "Leave",
    "Message",
    "Open",
    "Record",
    "RevokeInvitation",
    "ScoreWire",
    "Spec",
    "Standings",
    "Start",
    "Tick",
    "UserCommand",
    "Written",
    "decode_value",
    "encode_message",
    "encode_score",
    "needed_rules",
    "score_values",
]
