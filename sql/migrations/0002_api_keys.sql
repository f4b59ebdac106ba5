-- API keys beside the system's own. No unique constraints but the primary key: under logical replication they hold
-- per node only, and a conflict would stop the replication of the telephone system.

create table pbxapi.api_key (
  api_key_uuid    uuid primary key,
  name            text not null,
  hint            text,
  key_hash        bytea,
  previous_hash   bytea,
  previous_until  timestamptz,
  domains         uuid[] check (cardinality(domains) > 0),
  scopes          text[] not null default '{}',
  networks        text[] not null default '{}',
  rate_limit      text,
  enabled         boolean not null default true,
  expires_at      timestamptz,
  last_used_at    timestamptz,
  created_at      timestamptz not null default clock_timestamp(),
  created_by      text
);

comment on column pbxapi.api_key.key_hash is 'SHA-256 of the key, which is stored nowhere';
comment on column pbxapi.api_key.domains is 'null: every domain';

create index api_key_hash on pbxapi.api_key (key_hash);
create index api_key_previous_hash on pbxapi.api_key (previous_hash);
