-- Deliveries of a time's events are sent again, whatever came of them; under the same webhook-id.
-- in:  webhook_uuid uuid, domain_uuid uuid, since timestamptz, until timestamptz
-- index: webhook_delivery (webhook_uuid, event_id), primary key of event
update pbxapi.webhook_delivery as d
   set state = 'waiting', attempts = 0, due_at = clock_timestamp()
  from pbxapi.webhook as w, pbxapi.event as e
 where d.webhook_uuid = %(webhook_uuid)s
   and w.webhook_uuid = d.webhook_uuid
   and (w.domain_uuid = %(domain_uuid)s or w.domain_uuid is null)
   and e.event_id = d.event_id
   and (w.domain_uuid is null or e.domain_uuid = w.domain_uuid)
   and e.created_at >= %(since)s and e.created_at < %(until)s
