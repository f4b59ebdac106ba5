-- Which of some numbers are extensions of the domain, by their own number or by their alias.
-- in:  domain_uuid uuid, numbers text[]
-- out: number text
-- index: v_extensions (domain_uuid, extension) and (domain_uuid, number_alias), recommended by doctor
select e.extension as number
  from v_extensions as e
 where e.domain_uuid = %(domain_uuid)s and e.extension = any(%(numbers)s)
union
select e.number_alias
  from v_extensions as e
 where e.domain_uuid = %(domain_uuid)s and e.number_alias = any(%(numbers)s)
