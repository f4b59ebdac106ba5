-- Answers of requests that carried an Idempotency-Key, and the secret that ETags are made with. No unique constraints
-- but the primary key, for the reason that 0002 gives.

create table pbxapi.answer (
  answer_id     uuid primary key,
  name_hash     bytea not null,
  request_hash  bytea not null,
  status        smallint not null,
  change_id     uuid,
  sealed        bytea not null,
  created_at    timestamptz not null default clock_timestamp()
);

comment on column pbxapi.answer.name_hash is 'SHA-256 of API key''s id, domain and Idempotency-Key';
comment on column pbxapi.answer.request_hash is 'SHA-256 of method, path, query and body';
comment on column pbxapi.answer.sealed is 'the body, encrypted with what only the caller sends';

create index answer_name_hash on pbxapi.answer (name_hash);
create index answer_created_at on pbxapi.answer (created_at);

create table pbxapi.secret (
  name   text primary key,
  value  bytea not null
);

insert into pbxapi.secret (name, value) values ('etag', uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
