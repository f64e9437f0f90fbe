-- Writes a session's record unless the one that is there is of a later epoch: then it has another owner.
--
-- KEYS   1 the record
-- ARGV   1 its epoch   2 the record: a format byte, then MessagePack with field names   3 seconds to live, empty for ever
-- Reply  1 if it was written, 0 if it was not; then the node that owned it before, empty for none

local stored = redis.call('GET', KEYS[1])
local former = ''
if stored then
  -- What cannot be read is of no epoch: the record is replaced.
  local readable, record = pcall(cmsgpack.unpack, string.sub(stored, 2))
  if readable and type(record) == 'table' then
    former = record.node or ''
    if (tonumber(record.epoch) or 0) > tonumber(ARGV[1]) then return { 0, former } end
  end
end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
end
return { 1, former }
