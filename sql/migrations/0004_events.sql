-- What happened, for webhooks, the event stream and whoever else listens. An event is written in the transaction
-- of what it tells; the relay gives it its position after the commit, so that a reader who has come to one position
-- has missed none before it.

create table pbxapi.event (
  event_id     uuid primary key,
  position     bigint,
  type         text not null,
  domain_uuid  uuid,
  domain_name  text,
  resource     text,
  record_uuid  uuid,
  data         jsonb not null default '{}',
  created_at   timestamptz not null default clock_timestamp()
);

comment on column pbxapi.event.domain_uuid is 'null: the whole system';

create index event_fresh on pbxapi.event (created_at, event_id) where position is null;
create index event_position on pbxapi.event (position);
create index event_domain on pbxapi.event (domain_uuid, position);
create index event_created_at on pbxapi.event (created_at);

create table pbxapi.event_head (
  one       boolean primary key default true check (one),
  position  bigint not null default 0
);

insert into pbxapi.event_head default values;
