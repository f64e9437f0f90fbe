-- Remembers the answer to a claimed request, or gives the claim up.
--
-- KEYS   1 the request
-- ARGV   1 status, empty to give the claim up   2 answer   3 how long it is remembered, ms
-- Reply  1

local status = redis.call('HMGET', KEYS[1], 'body', 'status')
if not status[1] then return 1 end
if ARGV[1] ~= '' then
  redis.call('HSET', KEYS[1], 'status', ARGV[1], 'answer', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
elseif not status[2] then
  redis.call('DEL', KEYS[1])
end
return 1
