-- Changes of a domain, for the list.
-- in:  domain_uuid uuid
-- out: the columns of a change, state as pending, applied or failed over all nodes
-- index: pbxapi.change (domain_uuid, created_at)
select c.change_id, c.resource, c.action, c.record_uuid, coalesce(c.batch_id::text, '') as batch_id,
       to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as created_at,
       c.created_at as noted_at,
       (select case when count(*) = 0 or bool_or(n.state = 'pending') then 'pending'
                    when bool_or(n.state = 'failed') then 'failed'
                    else 'applied' end
          from pbxapi.change_node as n where n.change_id = c.change_id) as state
  from pbxapi.change as c
 where c.domain_uuid = %(domain_uuid)s
