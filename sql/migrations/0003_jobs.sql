-- Background jobs of plugins: the row is the truth, Redis and RQ only wake the plugin's own worker.

create table pbxapi.job (
  job_id       uuid primary key,
  plugin       text not null,
  name         text not null,
  arguments    jsonb not null default '{}',
  state        text not null default 'waiting' check (state in ('waiting', 'failed')),
  attempts     integer not null default 0,
  error        text,
  due_at       timestamptz not null default clock_timestamp(),
  created_at   timestamptz not null default clock_timestamp()
);

create index job_due on pbxapi.job (plugin, due_at) where state = 'waiting';

create table pbxapi.schedule (
  plugin       text not null,
  name         text not null,
  next_at      timestamptz not null,
  primary key (plugin, name)
);
