-- A test is a delivery too, which is not tried again. One that succeeds ends a pause.
-- in:  delivery_uuid uuid, webhook_uuid uuid, domain_uuid uuid, event_id uuid, state text, status integer,
--      latency integer, response text, error text
-- index: primary key
insert into pbxapi.webhook_delivery
       (delivery_uuid, webhook_uuid, event_id, type, state, attempts, status, latency, response, error,
        last_attempt_at)
select %(delivery_uuid)s, webhook_uuid, %(event_id)s, 'webhook.test', %(state)s, 1, %(status)s::integer,
       %(latency)s::integer, %(response)s, %(error)s, clock_timestamp()
  from pbxapi.webhook
 where webhook_uuid = %(webhook_uuid)s and (domain_uuid = %(domain_uuid)s or domain_uuid is null)
