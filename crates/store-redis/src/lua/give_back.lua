-- Gives back a place that was reserved and is not taken.
--
-- KEYS   1 reservations   2 when they end
-- ARGV   1 what nodes' keys begin with   2 session
-- Reply  1 if there was one, else 0

return release(ARGV[1], KEYS[1], KEYS[2], ARGV[2]) and 1 or 0
