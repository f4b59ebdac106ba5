-- A delivery is sent again, whatever came of it; under the same webhook-id.
-- in:  webhook_uuid uuid, delivery_uuid uuid
-- index: primary key
update pbxapi.webhook_delivery
   set state = 'waiting', attempts = 0, due_at = clock_timestamp()
 where delivery_uuid = %(delivery_uuid)s and webhook_uuid = %(webhook_uuid)s and type <> 'webhook.test'
