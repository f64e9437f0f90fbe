-- All nodes, with how long their leases last.
--
-- KEYS   1 leases
-- ARGV   1 what nodes' keys begin with
-- Reply  a list of {lease left in ms, card, sessions in all, used, slots in all, used, sessions reserved, slots reserved,
--        the heir or '', '1' if given up}

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local nodes = {}
local leases = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for at = 1, #leases, 2 do
  local node = redis.call('HMGET', ARGV[1] .. leases[at], 'card', 'st', 'su', 'mt', 'mu', 'rs', 'rm', 'heir', 'given_up')
  if node[1] then
    nodes[#nodes + 1] = { leases[at + 1] - now, node[1], node[2], node[3], node[4], node[5], node[6], node[7],
      node[8] or '', node[9] or '' }
  end
end
return nodes
