-- Adds entries to the journal of an account that is being loaded: those that are not there yet.
--
-- KEYS   1 entries
-- ARGV   per entry, in order: its number + 1, its document
-- Reply  1

local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
last = last[1] and tonumber(string.match(last[1][1], '^(%d+)')) or 0
for at = 1, #ARGV, 2 do
  if tonumber(ARGV[at]) > last then redis.call('XADD', KEYS[1], ARGV[at] .. '-0', 'd', ARGV[at + 1]) end
end
return 1
