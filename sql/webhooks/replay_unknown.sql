-- Events of a time that a webhook wants and that never became deliveries become some now. What lies beyond its
-- position does so by itself.
-- in:  webhook_uuid uuid, domain_uuid uuid, since timestamptz, until timestamptz
-- index: event (created_at); webhook_delivery (webhook_uuid, event_id)
insert into pbxapi.webhook_delivery (delivery_uuid, webhook_uuid, event_id, position, type, record_uuid)
select gen_random_uuid(), w.webhook_uuid, e.event_id, e.position, e.type, e.record_uuid
  from pbxapi.webhook as w
  join pbxapi.event as e on (w.domain_uuid is null or e.domain_uuid = w.domain_uuid)
 where w.webhook_uuid = %(webhook_uuid)s
   and (w.domain_uuid = %(domain_uuid)s or w.domain_uuid is null)
   and e.position <= w.position
   and e.created_at >= %(since)s and e.created_at < %(until)s
   and exists (select from unnest(w.event_types) as pattern
                where e.type like replace(replace(pattern, '_', '\_'), '*', '%%'))
   and not exists (select from pbxapi.webhook_delivery as d
                    where d.webhook_uuid = w.webhook_uuid and d.event_id = e.event_id)
