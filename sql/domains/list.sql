-- The domains that the key may see.
-- in:  domains uuid[] or null (all)
-- out: the columns of a list row, domain_enabled as "true"/"false"
-- index: primary key
select d.domain_uuid,
       coalesce(d.domain_name, '') as domain_name,
       coalesce(d.domain_enabled::text, 'false') as domain_enabled,
       coalesce(d.domain_description, '') as domain_description
  from v_domains as d
 where %(domains)s::uuid[] is null or d.domain_uuid = any(%(domains)s)
