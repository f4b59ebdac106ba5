-- The extensions whose directory entries hold something of the boxes of some numbers.
-- in:  domain_uuid uuid, numbers text[]
-- out: extension_uuid uuid
-- index: v_extensions (domain_uuid)
select e.extension_uuid
  from v_extensions as e
 where e.domain_uuid = %(domain_uuid)s
   and (e.extension = any(%(numbers)s) or e.number_alias = any(%(numbers)s))
