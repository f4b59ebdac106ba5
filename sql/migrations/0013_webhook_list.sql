-- The deliveries of a webhook, newest first, without sorting all of them.

create index webhook_delivery_made on pbxapi.webhook_delivery (webhook_uuid, created_at, delivery_uuid);
