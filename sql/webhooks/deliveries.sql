-- What became of the events that a webhook wants.
-- in:  webhook_uuid uuid, domain_uuid uuid, domains uuid[], null for a key of every domain
-- out: the columns of a delivery
-- index: webhook_delivery (webhook_uuid, created_at, delivery_uuid)
select d.delivery_uuid, d.event_id, d.type, d.position as sequence, d.state, d.attempts, d.status, d.latency,
       coalesce(d.response, '') as response, coalesce(d.error, '') as error,
       to_char(d.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as created_at,
       coalesce(to_char(d.last_attempt_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '') as last_attempt_at,
       case when d.state = 'waiting'
            then to_char(d.due_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
            else '' end as next_attempt_at,
       d.created_at as made
  from pbxapi.webhook_delivery as d
  join pbxapi.webhook as w using (webhook_uuid)
 where d.webhook_uuid = %(webhook_uuid)s
   and (w.domain_uuid = %(domain_uuid)s or (w.domain_uuid is null and %(domains)s::uuid[] is null))
