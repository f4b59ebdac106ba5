-- Secrets that sign links are named link:<uuid>; the newest signs, all that are there are believed.

alter table pbxapi.secret add column created_at timestamptz not null default clock_timestamp();
