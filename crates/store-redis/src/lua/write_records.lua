-- Writes one batch of records of one owner, if everything is as it expects.
--
-- KEYS   every key that is written, but for those of lines that records leave; all of one owner: one slot
-- ARGV   1 `fl:{owner}:r:`, what the keys of all collections of this owner begin with. Those below it are `<collection>`
--          (hash), `<collection>:i` (ids in order) and `<collection>:d:<queue>` (ids by when they are due).
--        then per step six: kind (P put, E ensure, D delete, A absent), collection, id,
--        expected (16 bytes, empty: absent, *: whatever), value (starts with the next version; empty for D and A),
--        instant at which it is due (empty: never)
-- Reply  1 written, or written before      0 something else was there
--
-- A value is 16 bytes of version, one of the queue's length, the queue and 8 bytes of its instant if there is one, and
-- the body.
-- Nothing is rolled back when a script fails: everything is checked before anything is written. While a cluster moves the
-- slot, a key that is here no more ends the script where it is touched, so each is touched before the first write.

local prefix = ARGV[1]
-- The queue's index that a value is in; nil for one that waits for nothing.
local function index(collection, value)
  local length = string.byte(value, 17)
  if length == 0 then return nil end
  return prefix .. collection .. ':d:' .. string.sub(value, 18, 17 + length)
end

local free = true
local found = {}
for at = 2, #ARGV, 6 do
  local kind, expected = ARGV[at], ARGV[at + 3]
  local value = redis.call('HGET', prefix .. ARGV[at + 1], ARGV[at + 2])
  local version = value and string.sub(value, 1, 16) or ''
  found[at] = value
  if (kind == 'P' or kind == 'E') and version ~= '' and version == string.sub(ARGV[at + 4], 1, 16) then return 1 end
  if kind == 'P' and expected ~= '*' and expected ~= version then free = false end
  if kind == 'D' and version ~= '' and expected ~= '*' and expected ~= version then free = false end
  if kind == 'A' and version ~= '' then free = false end
end
if not free then return 0 end
for at = 2, #ARGV, 6 do
  local before = found[at] and index(ARGV[at + 1], found[at])
  if before then redis.call('EXISTS', before) end
end

for at = 2, #ARGV, 6 do
  local kind, collection, id, value, due = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 4], ARGV[at + 5]
  local old = found[at]
  if kind == 'E' and old then
    redis.call('HSET', prefix .. collection, id, string.sub(value, 1, 16) .. string.sub(old, 17))
  elseif kind == 'P' or kind == 'E' then
    local before, after = old and index(collection, old), index(collection, value)
    redis.call('HSET', prefix .. collection, id, value)
    if not old then redis.call('ZADD', prefix .. collection .. ':i', 0, id) end
    if before and before ~= after then redis.call('ZREM', before, id) end
    if after then redis.call('ZADD', after, due, id) end
  elseif kind == 'D' and old then
    local before = index(collection, old)
    redis.call('HDEL', prefix .. collection, id)
    redis.call('ZREM', prefix .. collection .. ':i', id)
    if before then redis.call('ZREM', before, id) end
  end
end
return 1
