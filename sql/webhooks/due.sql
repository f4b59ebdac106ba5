-- Deliveries that are due, of webhooks that nobody is at work for: of each the first ones in the events' order.
-- in:  domains uuid[] (null for all), rank integer (0: of those in quick; 2: that fail, or in slow; 1: the others),
--      quick uuid[], slow uuid[], busy uuid[], webhooks integer, each integer (deliveries at most)
-- out: a webhook's url, headers, secrets; the delivery; the event, all null where it is forgotten
-- index: webhook_delivery (webhook_uuid, due_at), (webhook_uuid, position); primary key of event
with ready as (
  select w.webhook_uuid, w.domain_uuid, w.url, w.headers, w.failing_since is not null as failing,
         array_remove(array[w.secret, case when w.previous_until > clock_timestamp() then w.previous_secret end], null)
           as secrets,
         (select min(d.due_at) from pbxapi.webhook_delivery as d
           where d.webhook_uuid = w.webhook_uuid and d.state = 'waiting') as due_at
    from pbxapi.webhook as w
   where (%(domains)s::uuid[] is null or w.domain_uuid = any(%(domains)s::uuid[]))
     and w.enabled and w.paused_at is null
     and (w.retry_at is null or w.retry_at <= clock_timestamp())
     and case when w.failing_since is not null or w.webhook_uuid = any(%(slow)s::uuid[]) then 2
              when w.webhook_uuid = any(%(quick)s::uuid[]) then 0
              else 1 end = %(rank)s::integer
     and w.webhook_uuid <> all(%(busy)s::uuid[])
), first as (
  select webhook_uuid, domain_uuid, url, headers, failing, secrets, due_at
    from ready
   where due_at <= clock_timestamp()
   order by due_at
   limit %(webhooks)s::integer
)
select first.webhook_uuid, first.url, first.headers, first.secrets, first.due_at,
       found.delivery_uuid, found.attempts, found.record_uuid,
       e.event_id, e.position, e.type, e.domain_uuid, e.domain_name, e.data, e.created_at
  from first cross join lateral (
    select d.delivery_uuid, d.event_id, d.attempts, d.record_uuid, d.position
      from pbxapi.webhook_delivery as d
     where d.webhook_uuid = first.webhook_uuid and d.state = 'waiting' and d.due_at <= clock_timestamp()
     order by d.position
     limit case when first.failing then 1 else %(each)s::integer end
  ) as found
  left join pbxapi.event as e
    on e.event_id = found.event_id and (first.domain_uuid is null or e.domain_uuid = first.domain_uuid)
 order by first.due_at, first.webhook_uuid, found.position
