-- One change of a domain, or one batch of changes as if it were one, with what became of it on each node.
-- in:  domain_uuid uuid, change_id uuid (of a change, or a batch)
-- out: the columns of a change, nodes as a list; a batch is of no resource and no record
-- index: primary keys, pbxapi.change (batch_id)
with asked as (
  select c.change_id, c.resource, c.action, c.record_uuid, c.batch_id, c.created_at, c.domain_name
    from pbxapi.change as c
   where c.domain_uuid = %(domain_uuid)s and c.change_id = %(change_id)s
  union all
  select c.change_id, '', 'batch', null, c.batch_id, c.created_at, c.domain_name
    from pbxapi.change as c
   where c.domain_uuid = %(domain_uuid)s and c.batch_id = %(change_id)s
), node as (
  select n.node,
         case when bool_or(n.state = 'pending') then 'pending'
              when bool_or(n.state = 'failed') then 'failed'
              else 'applied' end as state,
         coalesce(max(n.error), '') as error,
         max(n.attempts) as attempts,
         case when bool_and(n.applied_at is not null) then max(n.applied_at) end as applied_at
    from pbxapi.change_node as n
   where n.change_id in (select change_id from asked)
   group by n.node
)
select %(change_id)s::uuid as change_id, min(resource) as resource, min(action) as action,
       min(record_uuid::text)::uuid as record_uuid, coalesce(min(batch_id::text), '') as batch_id,
       to_char(min(created_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as created_at,
       (select case when count(*) = 0 or bool_or(node.state = 'pending') then 'pending'
                    when bool_or(node.state = 'failed') then 'failed'
                    else 'applied' end
          from node) as state,
       (select coalesce(json_agg(json_build_object(
                 'node', node.node, 'state', node.state, 'error', node.error, 'attempts', node.attempts,
                 'applied_at',
                 coalesce(to_char(node.applied_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '')
               ) order by node.node), '[]')
          from node) as nodes,
       %(domain_uuid)s::uuid as domain_uuid, coalesce(min(domain_name), '') as domain_name,
       coalesce((select node.error from node where node.state <> 'applied' order by node.state, node.node limit 1),
                '') as error
  from asked
having count(*) > 0
