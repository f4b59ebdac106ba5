-- Phones that register as the extension follow its number and its password.
-- in:  domain_uuid uuid, domain_name text, old_number text, number text, password text
update v_device_lines
   set user_id = %(number)s,
       auth_id = case when auth_id = %(old_number)s then %(number)s else auth_id end,
       password = %(password)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and server_address = %(domain_name)s and user_id = %(old_number)s
