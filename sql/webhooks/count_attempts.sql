-- Attempts by their outcome, for the figures; the first ones make the row.
-- in:  delivered integer, failed integer
-- index: none; there is one row
with own as (
  select counter_uuid from pbxapi.webhook_attempts order by counter_uuid limit 1
), counted as (
  update pbxapi.webhook_attempts as a
     set delivered = a.delivered + %(delivered)s::integer, failed = a.failed + %(failed)s::integer
    from own
   where a.counter_uuid = own.counter_uuid
)
insert into pbxapi.webhook_attempts (counter_uuid, delivered, failed)
select gen_random_uuid(), %(delivered)s::integer, %(failed)s::integer where not exists (select from own)
