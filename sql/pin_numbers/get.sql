-- One PIN number.
-- in:  domain_uuid uuid, pin_number_uuid uuid
-- out: its columns as text, flags as "true"/"false"
-- index: primary key
select p.pin_number_uuid,
       coalesce(p.pin_number, '') as pin_number,
       coalesce(p.accountcode, '') as accountcode,
       coalesce(p.enabled::text, 'false') as enabled,
       coalesce(p.description, '') as description
  from v_pin_numbers as p
 where p.domain_uuid = %(domain_uuid)s and p.pin_number_uuid = %(pin_number_uuid)s
