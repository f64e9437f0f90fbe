-- Chooses a node for a session among those with room, and reserves its place there.
--
-- KEYS   1 leases   2 reservations   3 when they end
-- ARGV   1 what nodes' keys begin with   2 session   3 weight   4 how long the reservation lasts, ms
--        5 'two_choice' or 'packed'   6 the one node to take, or ''   7 avatar   8 what an avatar is worth, thousandths
--        9 a random number under 2^31   10 number of nodes not to take, then those   then labels and their values
-- Reply  {1, card}   {0, sessions used, sessions in all, slots used, slots in all}

local EXPIRED_AT_ONCE = 100

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

for _, session in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, EXPIRED_AT_ONCE)) do
  release(ARGV[1], KEYS[2], KEYS[3], session)
end
release(ARGV[1], KEYS[2], KEYS[3], ARGV[2])

local weight, avatar_worth, count = tonumber(ARGV[3]), tonumber(ARGV[8]), tonumber(ARGV[10])
local excluded = {}
for at = 11, 10 + count do excluded[ARGV[at]] = true end
local fields = { 'st', 'su', 'mt', 'mu', 'rs', 'rm', 'dr', 'heir', 'a:' .. ARGV[7] }
local asked = #fields
for at = 11 + count, #ARGV - 1, 2 do fields[#fields + 1] = 'l:' .. ARGV[at] end

local sum = { 0, 0, 0, 0 }

-- How full a node is in thousandths, if it would do and has room; nothing otherwise.
local function load_of(boot)
  if excluded[boot] or (ARGV[6] ~= '' and boot ~= ARGV[6]) then return nil end
  local node = redis.call('HMGET', ARGV[1] .. boot, unpack(fields))
  if not node[1] or node[7] == '1' or node[8] then return nil end
  local label = 12 + count
  for at = asked + 1, #fields do
    if node[at] ~= ARGV[label] then return nil end
    label = label + 2
  end
  local in_all, slots_in_all = tonumber(node[1]), tonumber(node[3])
  local used, slots = node[2] + (node[5] or 0), node[4] + (node[6] or 0)
  sum[1], sum[2], sum[3], sum[4] = sum[1] + used, sum[2] + in_all, sum[3] + slots, sum[4] + slots_in_all
  if used >= in_all or slots + weight > slots_in_all then return nil end
  local load = math.max(used * 1000 / math.max(in_all, 1), slots * 1000 / math.max(slots_in_all, 1))
  return load, node[9] and load or load + avatar_worth
end

local alive = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
local chosen, best
if ARGV[5] == 'packed' then
  for _, boot in ipairs(alive) do
    local load = load_of(boot)
    if load and (not best or load > best) then chosen, best = boot, load end
  end
else
  -- Two with room, taken at random; nodes without room cost a look each.
  local dice, found = tonumber(ARGV[9]), 0
  while #alive > 0 and found < 2 do
    local at = dice % #alive + 1
    dice = (dice * 48271 + 11) % 2147483647
    local boot = alive[at]
    alive[at] = alive[#alive]
    alive[#alive] = nil
    local _, worth = load_of(boot)
    if worth then
      found = found + 1
      if not best or worth < best then chosen, best = boot, worth end
    end
  end
end
if not chosen then return { 0, sum[1], sum[2], sum[3], sum[4] } end

local node = ARGV[1] .. chosen
redis.call('HINCRBY', node, 'rs', 1)
redis.call('HINCRBY', node, 'rm', weight)
redis.call('HSET', KEYS[2], ARGV[2], weight .. ' ' .. chosen)
redis.call('ZADD', KEYS[3], now + ARGV[4], ARGV[2])
return { 1, redis.call('HGET', node, 'card') }
