-- A receiver fails: after the third time in a row it is left in peace, longer each time; in the end it is paused.
-- in:  webhook_uuid uuid, domains uuid[] (null for all), error text, gone boolean, pause_after double precision
--      (seconds), first double precision (seconds of the first rest), asked double precision (seconds of rest that
--      the receiver asked for)
-- out: domain_uuid, host, failing_since, paused; nothing where it is paused already
-- index: primary key
update pbxapi.webhook
   set failing_since = coalesce(failing_since, clock_timestamp()),
       failures = failures + 1,
       last_error = %(error)s,
       retry_at = clock_timestamp() + make_interval(secs => greatest(
         %(asked)s::double precision,
         case when failures < 3 then 0
              else least(%(first)s::double precision * power(2, least(failures - 3, 20)), 300) end)),
       paused_at = case when %(gone)s
                          or clock_timestamp() - coalesce(failing_since, clock_timestamp())
                             >= make_interval(secs => %(pause_after)s::double precision)
                        then clock_timestamp() end
 where webhook_uuid = %(webhook_uuid)s
   and (%(domains)s::uuid[] is null or domain_uuid = any(%(domains)s::uuid[]))
   and paused_at is null
returning domain_uuid, host,
          to_char(failing_since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as failing_since,
          paused_at is not null as paused
