-- A webhook is well again: what waits is sent now.
-- in:  webhook_uuid uuid, domain_uuid uuid
-- out: host, missed_since (since when it failed, where what it failed for is not kept any more)
-- index: primary key; webhook_delivery (webhook_uuid, position) where state is waiting; event (domain_uuid, position)
with before as (
  select webhook_uuid, domain_uuid, host, coalesce(failing_since, paused_at) as since
    from pbxapi.webhook
   where webhook_uuid = %(webhook_uuid)s and (domain_uuid = %(domain_uuid)s or domain_uuid is null)
), resumed as (
  update pbxapi.webhook as w
     set failing_since = null, failures = 0, retry_at = null, paused_at = null
    from before
   where w.webhook_uuid = before.webhook_uuid and (w.domain_uuid = %(domain_uuid)s or w.domain_uuid is null)
), due as (
  update pbxapi.webhook_delivery as d
     set due_at = clock_timestamp()
    from before
   where d.webhook_uuid = before.webhook_uuid and d.state = 'waiting'
)
select host,
       case when not exists (select from pbxapi.event as e
                              where (before.domain_uuid is null or e.domain_uuid = before.domain_uuid)
                                and e.created_at <= before.since)
            then to_char(before.since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') end as missed_since
  from before
