-- As for all our tables: nothing unique but a uuid, and no sequence, since both hold for one database only where
-- several replicate into each other. Attempts are counted in a row.

drop index pbxapi.webhook_delivery_event;
create index webhook_delivery_event on pbxapi.webhook_delivery (webhook_uuid, event_id);

drop sequence pbxapi.webhook_delivered;
drop sequence pbxapi.webhook_failed;

create table pbxapi.webhook_attempts (
  counter_uuid  uuid primary key,
  delivered     bigint not null default 0,
  failed        bigint not null default 0
);
