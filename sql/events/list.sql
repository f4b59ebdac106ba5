-- Events that have their positions, of a domain or of all domains of the key, for the list.
-- in:  domain_uuid uuid, domains uuid[] (NULL: any), all_domains text, after text, types text[] (NULL: any)
-- out: the columns of an event, domain as {uuid, name} or NULL
-- index: pbxapi.event (domain_uuid, position)
select e.event_id as id, e.type, e.position as sequence, e.data,
       to_char(e.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as timestamp,
       case when e.domain_uuid is not null
            then jsonb_build_object('uuid', e.domain_uuid, 'name', e.domain_name) end as domain
  from pbxapi.event as e
 where e.position > coalesce(nullif(%(after)s, '')::bigint, 0)
   and (e.domain_uuid = %(domain_uuid)s
        or (%(all_domains)s::text = 'true'
            and (%(domains)s::uuid[] is null or e.domain_uuid = any(%(domains)s))))
   and (%(types)s::text[] is null or e.type like any(%(types)s))
