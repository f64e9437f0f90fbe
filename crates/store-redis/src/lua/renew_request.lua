-- Keeps a claimed request claimed, while its work goes on.
--
-- KEYS   1 the request
-- ARGV   1 how long the claim lasts from now on, ms
-- Reply  1

local known = redis.call('HMGET', KEYS[1], 'body', 'status')
if known[1] and not known[2] then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 1
