-- Gives a node its lease for another while, or says why not.
--
-- KEYS   1 leases   2 the node   3 reservations   4 when they end   5 names
-- ARGV   1 what nodes' keys begin with   2 boot   3 lease, ms   4 '1' if it begins   5 name   6 address   7 card
--        8 sessions in all   9 sessions used   10 slots in all   11 slots used   12 '1' if it drains
--        13 number of absorbed sessions, then those   then further fields and values of the node: labels, avatars
-- Reply  {'held'}   {'claimed'}   {'gone'}   {'name_taken', address}

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if redis.call('HEXISTS', KEYS[2], 'heir') == 1 then return { 'claimed' } end
if ARGV[4] ~= '1' and not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return { 'gone' } end

local namesake = redis.call('HGET', KEYS[5], ARGV[5])
if namesake and namesake ~= ARGV[2] then
  local lease = redis.call('ZSCORE', KEYS[1], namesake)
  if lease and tonumber(lease) > now then
    local address = redis.call('HGET', ARGV[1] .. namesake, 'address')
    if address ~= ARGV[6] then return { 'name_taken', address or '' } end
    -- Whoever listens at an address has it alone: the former run there is no more.
    redis.call('ZADD', KEYS[1], now, namesake)
  end
end
redis.call('HSET', KEYS[5], ARGV[5], ARGV[2])

local absorbed = tonumber(ARGV[13])
for at = 14, 13 + absorbed do release(ARGV[1], KEYS[3], KEYS[4], ARGV[at]) end
local reserved = redis.call('HMGET', KEYS[2], 'rs', 'rm')

-- Made anew, so that labels and avatars that are no more go.
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'name', ARGV[5], 'address', ARGV[6], 'card', ARGV[7], 'st', ARGV[8], 'su', ARGV[9],
  'mt', ARGV[10], 'mu', ARGV[11], 'dr', ARGV[12], 'rs', reserved[1] or 0, 'rm', reserved[2] or 0)
for at = 14 + absorbed, #ARGV - 1, 2 do redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1]) end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[2])
return { 'held' }
