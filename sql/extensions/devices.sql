-- Phones that show an extension: a line registers as it, or a key points to it.
-- in:  domain_uuid uuid, number text
-- out: device_uuid of each
-- index: v_device_lines_domain_uuid_fkey, v_device_keys_domain_uuid_fkey
select device_uuid from v_device_lines where domain_uuid = %(domain_uuid)s and user_id = %(number)s
 union
select device_uuid from v_device_keys where domain_uuid = %(domain_uuid)s and device_key_value = %(number)s
