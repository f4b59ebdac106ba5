-- All columns of a PIN number; the caller merges what was sent into the locked row.
-- in:  domain_uuid uuid, pin_number_uuid uuid, the columns as text
update v_pin_numbers
   set pin_number = %(pin_number)s,
       accountcode = %(accountcode)s,
       enabled = %(enabled)s,
       description = %(description)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and pin_number_uuid = %(pin_number_uuid)s
