-- A webhook, whose first event is the next one that gets a position.
-- in:  webhook_uuid uuid, the columns, domain_uuid uuid (null for all domains), secret text, public_key text
insert into pbxapi.webhook
       (webhook_uuid, domain_uuid, url, host, event_types, description, enabled, headers, secret, public_key, position)
values (%(webhook_uuid)s, %(domain_uuid)s::uuid, %(url)s, %(host)s, %(event_types)s::text[], %(description)s,
        %(enabled)s::text = 'true', %(headers)s::jsonb, %(secret)s, %(public_key)s,
        (select position from pbxapi.event_head where one))
