-- Replaces the start of an account's journal by a checkpoint, if the present checkpoint is the one that was folded on.
--
-- KEYS   1 checkpoint   2 entries      (both of one account: one slot)
-- ARGV   1 number of the first entry the present checkpoint does not cover   2 the same for the new one   3 its document
--        4 the stream id of that first entry
-- Reply  1 trimmed      0 somebody else trimmed meanwhile

local present = redis.call('HGET', KEYS[1], 'next') or '0'
if present ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'next', ARGV[2], 'd', ARGV[3])
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[4])
return 1
