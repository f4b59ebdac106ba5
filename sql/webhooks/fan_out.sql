-- Events become deliveries to the webhooks that want them, up to as many as may wait for one webhook.
-- in:  domains uuid[] (null for all), most integer (deliveries that may wait), reach integer (events looked at)
-- That it missed some (webhook.gap) is told to a webhook whatever it asked for.
-- A webhook's row is held before its deliveries are written, as whoever changes it does.
-- out: behind, whether there may be more to do at once
-- index: event (domain_uuid, position), event (position); webhook_delivery (webhook_uuid, position)
with head as (
  select position from pbxapi.event_head where one
), ready as (
  select w.webhook_uuid, w.domain_uuid, w.event_types, w.position,
         least(head.position, w.position + %(reach)s::integer) as until
    from pbxapi.webhook as w cross join head
   where (%(domains)s::uuid[] is null or w.domain_uuid = any(%(domains)s::uuid[]))
     and w.enabled and w.paused_at is null and w.position < head.position
     and (w.retry_at is null or w.retry_at <= clock_timestamp())
     and (select count(*) from (select from pbxapi.webhook_delivery as d
                                 where d.webhook_uuid = w.webhook_uuid and d.state = 'waiting'
                                 limit %(most)s::integer) as waiting) < %(most)s::integer
), fresh as (
  select ready.webhook_uuid, found.event_id, found.position, found.type, found.record_uuid
    from ready cross join lateral (
      select e.event_id, e.position, e.type, e.record_uuid
        from pbxapi.event as e
       where e.position > ready.position and e.position <= ready.until
         and (ready.domain_uuid is null or e.domain_uuid = ready.domain_uuid)
         and (exists (select from unnest(ready.event_types) as pattern
                       where e.type like replace(replace(pattern, '_', '\_'), '*', '%%'))
              or (e.type = 'webhook.gap' and e.record_uuid = ready.webhook_uuid))
       order by e.position
       limit %(most)s::integer
    ) as found
), reached as (
  select ready.webhook_uuid, ready.position as before, count(fresh.position) as found,
         case when count(fresh.position) < %(most)s::integer then ready.until else max(fresh.position) end as position
    from ready left join fresh using (webhook_uuid)
   group by ready.webhook_uuid, ready.position, ready.until
), held as (
  select w.webhook_uuid
    from pbxapi.webhook as w join reached using (webhook_uuid)
   where (%(domains)s::uuid[] is null or w.domain_uuid = any(%(domains)s::uuid[]))
     and w.position = reached.before and (reached.found > 0 or reached.position - reached.before >= 1000)
     for update of w skip locked
), noted as (
  insert into pbxapi.webhook_delivery (delivery_uuid, webhook_uuid, event_id, position, type, record_uuid)
  select gen_random_uuid(), webhook_uuid, event_id, position, type, record_uuid
    from fresh join held using (webhook_uuid)
), moved as (
  update pbxapi.webhook as w
     set position = reached.position
    from reached join held using (webhook_uuid)
   where w.webhook_uuid = reached.webhook_uuid
     and (%(domains)s::uuid[] is null or w.domain_uuid = any(%(domains)s::uuid[]))
)
select coalesce(bool_or(reached.position < head.position and reached.found < %(most)s::integer), false) as behind
  from reached cross join head
