-- Gives back a place that was reserved and is not taken.
--
-- KEYS   1 reservations   2 when they end
-- ARGV   1 what nodes' keys begin with   2 session
-- Reply  1 if there was one, else 0

local reservation = redis.call('HGET', KEYS[1], ARGV[2])
if not reservation then return 0 end
local weight, boot = string.match(reservation, '^(%d+) (.*)$')
redis.call('HDEL', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[2])
local node = ARGV[1] .. boot
if redis.call('EXISTS', node) == 1 then
  redis.call('HINCRBY', node, 'rs', -1)
  redis.call('HINCRBY', node, 'rm', -weight)
end
return 1
