-- Try a change of a domain, or all changes of a batch, again at once; the relay is called.
-- in:  domain_uuid uuid, change_id uuid (of a change, or a batch)
-- out: the names of the nodes that try, NULL where there is none
-- index: primary keys, pbxapi.change (batch_id)
with tried as (
  update pbxapi.change_node as n
     set state = 'pending', attempts = 0, due_at = clock_timestamp()
    from pbxapi.change as c
   where c.change_id = n.change_id and n.state <> 'applied'
     and c.domain_uuid = %(domain_uuid)s
     and (c.change_id = %(change_id)s or c.batch_id = %(change_id)s)
  returning n.node
)
select array_agg(distinct node order by node) as nodes, pg_notify('pbxapi_change', '') from tried
