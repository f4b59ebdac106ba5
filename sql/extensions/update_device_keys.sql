-- Keys of phones that point to the extension follow its number and show its name.
-- in:  domain_uuid uuid, old_number text, number text, label text
update v_device_keys
   set device_key_value = %(number)s, device_key_label = %(label)s, update_date = now()
 where domain_uuid = %(domain_uuid)s and device_key_value = %(old_number)s
