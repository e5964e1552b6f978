"""The Lua scripts of the read model. Each runs as one step on the keys of one tournament, which share a slot.

KEYS of all: `state` (a hash), `rankings` (a sorted set, user id by score: the table by hand), `participants` (a hash, user id to JSON),
`order` (a sorted set of `<place>:<user id>`, all of score 0, so in the order of its text: the exact listing order), `marks` (the distinct marks
of those places, kept for `dense` ranks alone). A mark is a place without its last 9 digits, those of the tie: what equals
have in common. A participant's JSON begins with its place (`{"place":"<digits>"` or `{"place":null`), so a script finds it without
decoding. Offsets and epochs are compared as doubles: exact below 2^53.
"""

from __future__ import annotations

import hashlib
from typing import Final


class Script:
    """A Lua script, behind what all of them begin with, and the name Redis gives it."""

    def __init__(self, *parts: str) -> None:
        self.text = "".join((_COMMON, *parts))
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


# Lists go to commands in pieces: Lua's stack holds some 8,000 values.
_COMMON: Final = """
local state, rankings, participants, order, marks = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local PIECE = 2000
local function each(command, key, list)
  for i = 1, #list, PIECE do redis.call(command, key, unpack(list, i, math.min(i + PIECE - 1, #list))) end
end
local function place(participant)
  if participant and string.sub(participant, 10, 10) == '"' then
    return string.sub(participant, 11, string.find(participant, '"', 11, true) - 1)
  end
  return nil
end
"""

# Rows are a flat list in MessagePack: user id, score as decimal text, place, participant JSON, '' for none.
_ROWS: Final = """
local function put(rows, rankings, participants, order, marks, dense, fresh)
  local STEP = 4 * 500
  local gone, come = {}, {}
  for first = 1, #rows, STEP do
    local last = math.min(first + STEP - 1, #rows)
    local users, old = {}, {}
    for i = first, last, 4 do users[#users + 1] = rows[i] end
    if not fresh then old = redis.call('HMGET', participants, unpack(users)) end
    local unlisted, listed, unscored, scored, left, joined = {}, {}, {}, {}, {}, {}
    local n = 0
    for i = first, last, 4 do
      n = n + 1
      local user, score, new, participant = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
      local was = place(old[n])
      if was ~= new and (was or new ~= '') then
        if was then
          unlisted[#unlisted + 1] = was .. ':' .. user
          if dense then gone[string.sub(was, 1, -10)] = true end
        end
        if new ~= '' then
          listed[#listed + 1] = 0
          listed[#listed + 1] = new .. ':' .. user
          scored[#scored + 1] = score
          scored[#scored + 1] = user
          if dense then come[string.sub(new, 1, -10)] = true end
        else
          unscored[#unscored + 1] = user
        end
      end
      if participant ~= '' then
        joined[#joined + 1] = user
        joined[#joined + 1] = participant
      elseif old[n] then
        left[#left + 1] = user
      end
    end
    each('ZREM', order, unlisted)
    each('ZADD', order, listed)
    each('ZREM', rankings, unscored)
    each('ZADD', rankings, scored)
    each('HDEL', participants, left)
    each('HSET', participants, joined)
  end
  for mark in pairs(gone) do
    if not come[mark] and #redis.call('ZRANGEBYLEX', order, '[' .. mark, '[' .. mark .. '~', 'LIMIT', 0, 1) == 0 then
      redis.call('ZREM', marks, mark)
    end
  end
  for mark in pairs(come) do redis.call('ZADD', marks, 0, mark) end
end
"""

# ARGV: epoch, after ('' for the whole), offset, seq, status, public, ties, finished, ms to live, view, then rows or the number of staged
# participants. The hash is written first: a full server refuses that, before anything else has changed.
_BEGIN: Final = """
local epoch, after, offset = ARGV[1], ARGV[2], ARGV[3]
local held = redis.call('HMGET', state, 'epoch', 'offset')
if after ~= '' then
  if held[1] and tonumber(held[1]) > tonumber(epoch) then return 'fenced' end
  if held[1] ~= epoch or held[2] ~= after then return 'refused' end
elseif held[1] then
  local before = tonumber(held[1]) - tonumber(epoch)
  if before > 0 or (before == 0 and tonumber(held[2]) > tonumber(offset)) then return 'fenced' end
end
local function head()
  redis.call('HSET', state, 'epoch', epoch, 'offset', offset, 'seq', ARGV[4], 'status', ARGV[5], 'public', ARGV[6], 'ties', ARGV[7],
    'finished', ARGV[8], 'view', ARGV[10])
end
local function finish()
  redis.call('HSET', state, 'members', redis.call('HLEN', participants), 'ranked', redis.call('ZCARD', order))
  for i = 1, 5 do redis.call('PEXPIRE', KEYS[i], ARGV[9]) end
end
"""

APPLY: Final = Script(
    _ROWS,
    _BEGIN,
    """
head()
if after == '' then redis.call('UNLINK', rankings, participants, order, marks) end
put(cmsgpack.unpack(ARGV[11]), rankings, participants, order, marks, ARGV[7] == 'dense', after == '')
finish()
return 'ok'
""",
)

# A piece of a whole, on keys beside the read model's own. ARGV: ties, rows, ms to live.
STAGE: Final = Script(
    _ROWS,
    """
put(cmsgpack.unpack(ARGV[2]), rankings, participants, order, marks, ARGV[1] == 'dense', true)
for i = 2, 5 do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
return redis.call('HLEN', participants)
""",
)

# What was staged takes the read model's place. KEYS 6 to 9: the staged rankings, participants, order, marks.
SWAP: Final = Script(
    _BEGIN,
    """
if redis.call('HLEN', KEYS[7]) ~= tonumber(ARGV[11]) then return 'refused' end
head()
redis.call('UNLINK', rankings, participants, order, marks)
for i = 2, 5 do
  if redis.call('EXISTS', KEYS[i + 4]) == 1 then redis.call('RENAME', KEYS[i + 4], KEYS[i]) end
end
finish()
return 'ok'
""",
)

# Where the read model stands, and, if it is of the epoch that asks, a longer life for it. ARGV: epoch, ms to live. What lacks a part is none.
POSITION: Final = Script(
    """
local held = redis.call('HMGET', state, 'epoch', 'offset', 'members', 'ranked', 'finished')
if not held[1] then return false end
if redis.call('HLEN', participants) ~= tonumber(held[3]) or redis.call('ZCARD', order) ~= tonumber(held[4])
  or redis.call('ZCARD', rankings) ~= tonumber(held[4]) then return false end
if held[1] == ARGV[1] and held[5] == '0' and redis.call('PTTL', state) < ARGV[2] / 2 then
  for i = 1, 5 do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
end
return {held[1], held[2]}
""",
)

# All reads begin with the head: epoch, offset, seq, status, public, ties.
_HEAD: Final = """
local head = redis.call('HMGET', state, 'epoch', 'offset', 'seq', 'status', 'public', 'ties')
if not head[1] then return false end
local function better(mark) return redis.call('ZLEXCOUNT', order, '-', '(' .. mark) end
local function before(mark)
  if head[6] == 'dense' then return redis.call('ZLEXCOUNT', marks, '-', '(' .. mark) end
  return better(mark)
end
"""

# ARGV: user or ''. Answers whether they take part.
ACCESS: Final = Script(
    _HEAD,
    """
return {head, ARGV[1] ~= '' and redis.call('HEXISTS', participants, ARGV[1]) or 0}
""",
)

VIEW: Final = Script(
    _HEAD,
    """
return {head, redis.call('HGET', state, 'view')}
""",
)

# ARGV: user. Answers participant, position, members with a better score, better ranks, members with a rank.
PARTICIPANT: Final = Script(
    _HEAD,
    """
local participant = redis.call('HGET', participants, ARGV[1])
local at = place(participant)
if not at then return {head, participant} end
local mark = string.sub(at, 1, -10)
return {head, participant, redis.call('ZRANK', order, at .. ':' .. ARGV[1]), better(mark), before(mark), redis.call('ZCARD', order)}
""",
)

# ARGV: start, limit, user to be around or ''. Answers how many are
# ranked, the first position, the better ranks of its row, participants.
RANKINGS: Final = Script(
    _HEAD,
    """
local first, limit, total = tonumber(ARGV[1]), tonumber(ARGV[2]), redis.call('ZCARD', order)
if ARGV[3] ~= '' then
  local at = place(redis.call('HGET', participants, ARGV[3]))
  local position = at and redis.call('ZRANK', order, at .. ':' .. ARGV[3])
  if not position then return {head, false} end
  first = math.max(0, math.min(position - math.floor(limit / 2), total - limit))
end
local stop = math.min(first + limit, total)
first = math.max(first, 0)
if first >= stop then return {head, total, first, 0, {}} end
local listed = redis.call('ZRANGE', order, string.format('%d', first), string.format('%d', stop - 1))
local rows, colon = {}, string.find(listed[1], ':', 1, true)  -- the places of one tournament are of one length
for i = 1, #listed, PIECE do
  local users = {}
  for j = i, math.min(i + PIECE - 1, #listed) do users[#users + 1] = string.sub(listed[j], colon + 1) end
  for _, row in ipairs(redis.call('HMGET', participants, unpack(users))) do rows[#rows + 1] = row end
end
return {head, total, first, before(string.sub(listed[1], 1, colon - 10)), rows}
""",
)

# ARGV: users. Answers how many are ranked, and of each named user with a rank: position, better ranks, participant.
USERS: Final = Script(
    _HEAD,
    """
local rows = {}
for i = 1, #ARGV do
  local participant = redis.call('HGET', participants, ARGV[i])
  local at = place(participant)
  local position = at and redis.call('ZRANK', order, at .. ':' .. ARGV[i])
  if position then rows[#rows + 1] = {position, before(string.sub(at, 1, -10)), participant} end
end
return {head, redis.call('ZCARD', order), rows}
""",
)
