-- Moves the hint of a line in which nothing was found due to when something will be, unless a newer hint came.
--
-- KEYS   1 the collection's lines
-- ARGV   1 the line   2 the hint that was seen before looking   3 when something will be due, ms; empty: nothing waits
--        4 how old a hint must be to be settled, ms: what it announced is written by then, or never
-- Reply  1 settled   0 left alone

local hint = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not hint or hint ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
if tonumber(hint) > time[1] * 1000 + time[2] / 1000 - tonumber(ARGV[4]) then return 0 end
if ARGV[3] == '' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
end
return 1
