-- The change rows that drive the switch nodes. Keys are uuids and there are no sequences, so that a database
-- under logical replication can hold these tables.

create schema if not exists pbxapi;

create table pbxapi.node (
  name           text primary key,
  hostname       text,
  switchname     text,
  registered_at  timestamptz not null default clock_timestamp(),
  seen_at        timestamptz,
  reload_wanted  boolean not null default false,
  attempts       integer not null default 0,
  retry_at       timestamptz,
  error          text
);

create table pbxapi.change (
  change_id    uuid primary key,
  resource     text not null,
  action       text not null,
  record_uuid  uuid,
  domain_uuid  uuid,
  domain_name  text,
  old          jsonb,
  changed      text[],
  request_id   text,
  key_id       text,
  created_at   timestamptz not null default clock_timestamp()
);

create index change_created_at on pbxapi.change (created_at);
create index change_domain on pbxapi.change (domain_uuid, created_at);

create table pbxapi.change_node (
  change_id    uuid not null,
  node         text not null,
  state        text not null default 'pending' check (state in ('pending', 'applied', 'failed')),
  attempts     integer not null default 0,
  error        text,
  due_at       timestamptz not null default clock_timestamp(),
  applied_at   timestamptz,
  settle_at    timestamptz,
  settle_keys  text[],
  created_at   timestamptz not null default clock_timestamp(),
  primary key (change_id, node)
);

create index change_node_pending on pbxapi.change_node (node, due_at) where state = 'pending';
create index change_node_failed on pbxapi.change_node (node, created_at) where state = 'failed';
create index change_node_settle on pbxapi.change_node (node, settle_at) where settle_at is not null;
