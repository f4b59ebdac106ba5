-- Groups by name, the domain's own before those of all domains.
-- in:  domain_uuid uuid, names text[]
-- out: group_uuid, group_name, highest (whether it is as high as the group superadmin)
-- index: v_groups (domain_uuid)
select distinct on (g.group_name)
       g.group_uuid,
       g.group_name,
       g.group_level >= (select min(s.group_level) from v_groups as s
                          where s.group_name = 'superadmin' and s.domain_uuid is null) as highest
  from v_groups as g
 where (g.domain_uuid = %(domain_uuid)s or g.domain_uuid is null)
   and g.group_name = any(%(names)s)
 order by g.group_name, g.domain_uuid nulls last, g.group_uuid
