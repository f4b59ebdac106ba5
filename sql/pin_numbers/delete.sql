-- A PIN number goes.
-- in:  domain_uuid uuid, pin_number_uuid uuid
delete from v_pin_numbers where domain_uuid = %(domain_uuid)s and pin_number_uuid = %(pin_number_uuid)s
