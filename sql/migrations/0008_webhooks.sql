-- Webhooks: who is told of which events, and what became of telling them. Each webhook remembers the position up to
-- which events have become deliveries; a delivery is sent until the receiver has it.

create table pbxapi.webhook (
  webhook_uuid     uuid primary key,
  domain_uuid      uuid,
  url              text not null,
  host             text not null,
  event_types      text[] not null,
  description      text,
  enabled          boolean not null default true,
  headers          jsonb not null default '{}',
  secret           text not null,
  previous_secret  text,
  previous_until   timestamptz,
  public_key       text,
  position         bigint not null,
  failing_since    timestamptz,
  failures         integer not null default 0,
  retry_at         timestamptz,
  paused_at        timestamptz,
  last_error       text,
  last_success_at  timestamptz,
  created_at       timestamptz not null default clock_timestamp()
);

comment on column pbxapi.webhook.domain_uuid is 'null: the events of all domains and of the whole system';
comment on column pbxapi.webhook.position is 'of pbxapi.event: up to here events have become deliveries';
comment on column pbxapi.webhook.failures is 'attempts that failed since one succeeded';
comment on column pbxapi.webhook.retry_at is 'nothing is sent before';

create index webhook_domain on pbxapi.webhook (domain_uuid);

create table pbxapi.webhook_delivery (
  delivery_uuid    uuid primary key,
  webhook_uuid     uuid not null references pbxapi.webhook on delete cascade,
  event_id         uuid not null,
  position         bigint not null default 0,
  type             text not null,
  record_uuid      uuid,
  state            text not null default 'waiting' check (state in ('waiting', 'delivered', 'failed')),
  due_at           timestamptz not null default clock_timestamp(),
  attempts         integer not null default 0,
  status           integer,
  latency          integer,
  response         text,
  error            text,
  last_attempt_at  timestamptz,
  created_at       timestamptz not null default clock_timestamp()
);

comment on column pbxapi.webhook_delivery.latency is 'of the last attempt, in milliseconds';

create index webhook_delivery_event on pbxapi.webhook_delivery (webhook_uuid, event_id);
create index webhook_delivery_waiting on pbxapi.webhook_delivery (webhook_uuid, position) where state = 'waiting';
create index webhook_delivery_due on pbxapi.webhook_delivery (webhook_uuid, due_at) where state = 'waiting';
create index webhook_delivery_created_at on pbxapi.webhook_delivery (created_at);
create index webhook_delivery_made on pbxapi.webhook_delivery (webhook_uuid, created_at, delivery_uuid);

-- Attempts, for the figures; in a row, since a sequence holds for one database only where several replicate.
create table pbxapi.webhook_attempts (
  counter_uuid  uuid primary key,
  delivered     bigint not null default 0,
  failed        bigint not null default 0
);
