-- Takes a node off the list: a lost one by its heir, or one that goes down in order by itself.
--
-- KEYS   1 leases   2 the node   3 names
-- ARGV   1 boot   2 the heir's boot, or '' if nobody may have claimed it
-- Reply  1 if it was taken off, else 0

local heir = redis.call('HGET', KEYS[2], 'heir') or ''
if heir ~= ARGV[2] then return 0 end
local name = redis.call('HGET', KEYS[2], 'name')
if name and redis.call('HGET', KEYS[3], name) == ARGV[1] then redis.call('HDEL', KEYS[3], name) end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
-- Its reservations end by themselves; whoever comes to take one is refused by the node, or finds it gone.
return 1
