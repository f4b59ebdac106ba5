-- How many events of a time a webhook wants, counted up to a number.
-- in:  webhook_uuid uuid, domain_uuid uuid, since timestamptz, until timestamptz, most integer
-- out: the number
-- index: event (created_at)
select count(*) as events
  from (select
          from pbxapi.webhook as w
          join pbxapi.event as e on (w.domain_uuid is null or e.domain_uuid = w.domain_uuid)
         where w.webhook_uuid = %(webhook_uuid)s
           and (w.domain_uuid = %(domain_uuid)s or w.domain_uuid is null)
           and e.position is not null
           and e.created_at >= %(since)s and e.created_at < %(until)s
           and exists (select from unnest(w.event_types) as pattern
                        where e.type like replace(replace(pattern, '_', '\_'), '*', '%%'))
         limit %(most)s) as wanted
