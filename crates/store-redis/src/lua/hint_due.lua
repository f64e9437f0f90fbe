-- Notes that something in these lines may be due soon, before it is written there.
--
-- KEYS   1 the collection's lines, by when somebody should look at them
-- ARGV   the lines
--
-- The instant is now, with its microseconds: it is another one each time, so that whoever settles an older hint sees that
-- this one came.

local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
for at = 1, #ARGV do redis.call('ZADD', KEYS[1], string.format('%.3f', now), ARGV[at]) end
return 1
