-- Callbacks and the attempts at them, in the plugin's own schema.
create table callback (
  callback_uuid   uuid primary key,
  domain_uuid     uuid not null,
  number          text not null,
  extension_uuid  uuid,
  description     text,
  state           text not null default 'open',
  insert_date     timestamptz not null default now()
);
create index on callback (domain_uuid, insert_date);

create table attempt (
  attempt_uuid    uuid primary key,
  domain_uuid     uuid not null,
  callback_uuid   uuid not null references callback on delete cascade,
  outcome         text not null,
  noted_at        timestamptz not null default now()
);
create index on attempt (callback_uuid);
