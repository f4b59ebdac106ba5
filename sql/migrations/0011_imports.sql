-- Imports: how far each has come, what became of each line, and the lines that wait for their turn. Those may hold
-- passwords; they go in the transaction that does them.

create table pbxapi.import (
  import_uuid  uuid primary key,
  resource     text not null,
  domain_uuid  uuid not null,
  caller       jsonb not null,
  dry_run      boolean not null,
  state        text not null check (state in ('running', 'finished', 'failed')),
  lines        integer not null,
  created      integer not null default 0,
  refused      integer not null default 0,
  error        text,
  created_at   timestamptz not null default clock_timestamp(),
  finished_at  timestamptz
);

create index import_domain on pbxapi.import (domain_uuid, created_at);
create index import_created_at on pbxapi.import (created_at);

create table pbxapi.import_part (
  part_uuid    uuid primary key,
  import_uuid  uuid not null,
  number       integer not null,
  lines        jsonb not null
);

create index import_part_import on pbxapi.import_part (import_uuid, number);

create table pbxapi.import_line (
  line_uuid    uuid primary key,
  import_uuid  uuid not null,
  line         integer not null,
  status       text not null check (status in ('created', 'valid', 'refused')),
  record_uuid  uuid,
  field        text,
  code         text,
  message      text
);

create index import_line_import on pbxapi.import_line (import_uuid, line);
