-- One change of a domain, with what became of it on each node.
-- in:  domain_uuid uuid, change_id uuid
-- out: the columns of a change, nodes as a list
-- index: primary keys
select c.change_id, c.resource, c.action, c.record_uuid,
       to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as created_at,
       (select case when count(*) = 0 or bool_or(n.state = 'pending') then 'pending'
                    when bool_or(n.state = 'failed') then 'failed'
                    else 'applied' end
          from pbxapi.change_node as n where n.change_id = c.change_id) as state,
       (select coalesce(json_agg(json_build_object(
                 'node', n.node, 'state', n.state, 'error', coalesce(n.error, ''), 'attempts', n.attempts,
                 'applied_at',
                 coalesce(to_char(n.applied_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '')
               ) order by n.node), '[]')
          from pbxapi.change_node as n where n.change_id = c.change_id) as nodes
  from pbxapi.change as c
 where c.domain_uuid = %(domain_uuid)s and c.change_id = %(change_id)s
