-- A receiver is well; written where that is news, or a few seconds old.
-- in:  webhook_uuid uuid, domains uuid[] (null for all)
-- out: domain_uuid, host, missed_since (since when it failed, where what it failed for is not kept any more)
-- index: primary key; event (domain_uuid, position)
update pbxapi.webhook as w
   set failing_since = null, failures = 0, retry_at = null, last_success_at = clock_timestamp()
  from (select webhook_uuid, failing_since as since from pbxapi.webhook
         where webhook_uuid = %(webhook_uuid)s
           and (%(domains)s::uuid[] is null or domain_uuid = any(%(domains)s::uuid[]))) as before
 where w.webhook_uuid = before.webhook_uuid
   and (%(domains)s::uuid[] is null or w.domain_uuid = any(%(domains)s::uuid[]))
   and (w.failing_since is not null or w.last_success_at is null
        or w.last_success_at < clock_timestamp() - interval '5 seconds')
returning w.domain_uuid, w.host,
          case when not exists (select from pbxapi.event as e
                                 where (w.domain_uuid is null or e.domain_uuid = w.domain_uuid)
                                   and e.created_at <= before.since)
               then to_char(before.since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') end as missed_since
