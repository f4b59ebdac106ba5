-- A key for a record: its first, or one that replaces the one before, which stays good for the overlap.
-- in:  api_key_uuid uuid, key_hash bytea, hint text, overlap integer (seconds)
-- out: previous_until, '' where there is no overlap
-- index: primary key
update pbxapi.api_key
   set previous_hash = case when %(overlap)s::integer > 0 then key_hash end,
       previous_until = case when %(overlap)s::integer > 0 then now() + make_interval(secs => %(overlap)s::integer) end,
       key_hash = %(key_hash)s,
       hint = %(hint)s
 where api_key_uuid = %(api_key_uuid)s
returning coalesce(to_char(previous_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '') as previous_until
