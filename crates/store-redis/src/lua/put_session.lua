-- Writes a session's record unless the one that is there is of a later epoch: then it has another owner. Nor is one that is
-- over written over by one of its epoch that is not: that one was late, on a connection that had been given up.
--
-- A value begins with what this compares, since scripts cannot read all of MessagePack: the byte 2, the epoch (4 bytes, big
-- end first), the length of the owner's name (2 bytes) and the name; then the record. What begins with another byte was
-- written before there were owners to compare.
--
-- KEYS   1 the record
-- ARGV   1 the value   2 seconds to live, for one that is over; empty for one that is not
-- Reply  1 if it was written, 0 if it has another owner, 2 if it is over; then the node that owned it before, empty for none

local function number(value, from, to)
  local sum = 0
  for at = from, to do sum = sum * 256 + string.byte(value, at) end
  return sum
end

local stored = redis.call('GET', KEYS[1])
local former = ''
if stored and string.byte(stored, 1) == 2 then
  former = string.sub(stored, 8, 7 + number(stored, 6, 7))
  local before, now = number(stored, 2, 5), number(ARGV[1], 2, 5)
  if before > now then return { 0, former } end
  if before == now and ARGV[2] == '' and redis.call('TTL', KEYS[1]) >= 0 then return { 2, former } end
end
if ARGV[2] == '' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
return { 1, former }
