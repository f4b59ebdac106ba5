-- An extension that can be rung.
-- in:  domain_uuid uuid, number text (its number or its alias)
-- out: extension
-- index: v_extensions (domain_uuid)
select extension
  from v_extensions
 where domain_uuid = %(domain_uuid)s
   and enabled::text = 'true'
   and (extension = %(number)s or number_alias = %(number)s)
 order by (extension = %(number)s) desc
 limit 1
