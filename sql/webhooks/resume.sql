-- A webhook is well again: what waits is sent now.
-- in:  webhook_uuid uuid, domain_uuid uuid
-- index: primary key; webhook_delivery (webhook_uuid, position) where state is waiting
with resumed as (
  update pbxapi.webhook
     set failing_since = null, failures = 0, retry_at = null, paused_at = null
   where webhook_uuid = %(webhook_uuid)s and (domain_uuid = %(domain_uuid)s or domain_uuid is null)
  returning webhook_uuid
)
update pbxapi.webhook_delivery as d
   set due_at = clock_timestamp()
  from resumed
 where d.webhook_uuid = resumed.webhook_uuid and d.state = 'waiting'
