-- Ring groups of a domain, for the list.
-- in:  domain_uuid uuid
-- out: the columns of a list row, flags as "true"/"false"
-- index: v_ring_groups (domain_uuid)
select g.ring_group_uuid,
       coalesce(g.ring_group_name, '') as ring_group_name,
       coalesce(g.ring_group_extension, '') as ring_group_extension,
       coalesce(g.ring_group_strategy, '') as ring_group_strategy,
       coalesce(g.ring_group_forward_enabled::text, 'false') as ring_group_forward_enabled,
       coalesce(g.ring_group_forward_destination, '') as ring_group_forward_destination,
       coalesce(g.ring_group_enabled::text, 'false') as ring_group_enabled,
       coalesce(g.ring_group_description, '') as ring_group_description
  from v_ring_groups as g
 where g.domain_uuid = %(domain_uuid)s
