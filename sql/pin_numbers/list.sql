-- PIN numbers of a domain, for the list: without the PINs.
-- in:  domain_uuid uuid
-- out: the columns of a list row, flags as "true"/"false"
-- index: v_pin_numbers (domain_uuid)
select p.pin_number_uuid,
       coalesce(p.accountcode, '') as accountcode,
       coalesce(p.enabled::text, 'false') as enabled,
       coalesce(p.description, '') as description
  from v_pin_numbers as p
 where p.domain_uuid = %(domain_uuid)s
