-- A receiver is well; written where that is news, or a few seconds old.
-- in:  webhook_uuid uuid, domains uuid[] (null for all)
-- index: primary key
update pbxapi.webhook
   set failing_since = null, failures = 0, retry_at = null, last_success_at = clock_timestamp()
 where webhook_uuid = %(webhook_uuid)s
   and (%(domains)s::uuid[] is null or domain_uuid = any(%(domains)s::uuid[]))
   and (failing_since is not null or last_success_at is null
        or last_success_at < clock_timestamp() - interval '5 seconds')
