-- A new PIN number.
-- in:  domain_uuid uuid, pin_number_uuid uuid, the columns as text
insert into v_pin_numbers (
  pin_number_uuid, domain_uuid, pin_number, accountcode, enabled, description, insert_date
) values (
  %(pin_number_uuid)s, %(domain_uuid)s, %(pin_number)s, %(accountcode)s, %(enabled)s, %(description)s, now()
)
