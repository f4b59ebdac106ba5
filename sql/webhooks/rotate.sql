-- A secret in the place of the one before, which signs too for the overlap.
-- in:  webhook_uuid uuid, domain_uuid uuid, secret text, public_key text, overlap integer (seconds)
-- out: previous_until, '' where there is no overlap
-- index: primary key
update pbxapi.webhook
   set previous_secret = case when %(overlap)s::integer > 0 then secret end,
       previous_until = case when %(overlap)s::integer > 0 then now() + make_interval(secs => %(overlap)s::integer) end,
       secret = %(secret)s,
       public_key = %(public_key)s
 where webhook_uuid = %(webhook_uuid)s and (domain_uuid = %(domain_uuid)s or domain_uuid is null)
returning coalesce(to_char(previous_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '') as previous_until
