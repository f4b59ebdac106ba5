-- Changes of a domain or of all domains of the key, for the list.
-- in:  domain_uuid uuid, domains uuid[] (NULL: any), all_domains text
-- out: the columns of a change, state as pending, applied or failed over all nodes
-- index: pbxapi.change (domain_uuid, created_at)
select c.change_id, c.resource, c.action, c.record_uuid, coalesce(c.batch_id::text, '') as batch_id,
       to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as created_at,
       c.created_at as noted_at,
       (select case when count(*) = 0 or bool_or(n.state = 'pending') then 'pending'
                    when bool_or(n.state = 'failed') then 'failed'
                    else 'applied' end
          from pbxapi.change_node as n where n.change_id = c.change_id) as state,
       c.domain_uuid, coalesce(c.domain_name, '') as domain_name,
       coalesce((select n.error from pbxapi.change_node as n
                  where n.change_id = c.change_id and n.state <> 'applied'
                  order by n.state, n.node limit 1), '') as error
  from pbxapi.change as c
 where c.domain_uuid = %(domain_uuid)s
    or (%(all_domains)s::text = 'true'
        and (%(domains)s::uuid[] is null or c.domain_uuid = any(%(domains)s)))
