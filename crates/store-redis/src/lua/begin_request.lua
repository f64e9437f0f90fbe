-- Claims an idempotency key, or tells what became of it.
--
-- KEYS   1 the request
-- ARGV   1 digest of the request's body   2 how long the claim lasts, ms   3 the claim's name: sent twice, it is one claim
-- Reply  {0} claimed   {1} being worked on   {2, status, answer} answered   {3} another body came under this key

local known = redis.call('HMGET', KEYS[1], 'body', 'status', 'answer', 'claim')
if not known[1] then
  redis.call('HSET', KEYS[1], 'body', ARGV[1], 'claim', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return { 0 }
end
if known[1] ~= ARGV[1] then return { 3 } end
if known[2] then return { 2, known[2], known[3] } end
if known[4] == ARGV[3] then return { 0 } end
return { 1 }
