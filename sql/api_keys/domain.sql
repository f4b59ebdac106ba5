-- A domain that a key may be bound to, by uuid or by name.
-- in:  uuid uuid or null, name text, domains uuid[] (those of the caller's key, null for all)
-- out: domain_uuid
-- index: primary key of v_domains, which holds few rows
select domain_uuid
  from v_domains
 where (domain_uuid = %(uuid)s::uuid or lower(domain_name) = lower(%(name)s))
   and (%(domains)s::uuid[] is null or domain_uuid = any(%(domains)s::uuid[]))
 order by domain_uuid
 limit 1
