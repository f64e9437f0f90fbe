-- Makes a node the heir of a lost one, for a while.
--
-- KEYS   1 leases   2 the lost node   3 the heir
-- ARGV   1 lost boot   2 heir's boot   3 how long, ms
-- Reply  'yes'   'not_lost'   'taken'   'not_alive'

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local lease = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not lease or tonumber(lease) > now then return 'not_lost' end
local own = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not own or tonumber(own) <= now or redis.call('HEXISTS', KEYS[3], 'heir') == 1 then return 'not_alive' end
local claim = redis.call('HMGET', KEYS[2], 'heir', 'until')
if claim[1] and claim[1] ~= ARGV[2] and tonumber(claim[2]) > now then return 'taken' end
redis.call('HSET', KEYS[2], 'heir', ARGV[2], 'until', now + ARGV[3])
return 'yes'
