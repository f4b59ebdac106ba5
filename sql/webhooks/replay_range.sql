-- The events of a time that a webhook wants are sent again, or for the first time; under the same webhook-id.
-- in:  webhook_uuid uuid, domain_uuid uuid, since timestamptz, until timestamptz
-- index: event (created_at)
insert into pbxapi.webhook_delivery (delivery_uuid, webhook_uuid, event_id, position, type, record_uuid)
select gen_random_uuid(), w.webhook_uuid, e.event_id, e.position, e.type, e.record_uuid
  from pbxapi.webhook as w
  join pbxapi.event as e on (w.domain_uuid is null or e.domain_uuid = w.domain_uuid)
 where w.webhook_uuid = %(webhook_uuid)s
   and (w.domain_uuid = %(domain_uuid)s or w.domain_uuid is null)
   and e.position is not null
   and e.created_at >= %(since)s and e.created_at < %(until)s
   and exists (select from unnest(w.event_types) as pattern
                where e.type like replace(replace(pattern, '_', '\_'), '*', '%%'))
on conflict (webhook_uuid, event_id) do update
   set state = 'waiting', attempts = 0, due_at = clock_timestamp()
