-- Phones that show an extension: a line registers as it, or a key points to it.
-- in:  domain_uuid uuid, extension_uuid uuid
-- out: device_uuid of each
-- index: v_device_lines_domain_uuid_fkey, v_device_keys_domain_uuid_fkey
select l.device_uuid
  from v_extensions as e
  join v_device_lines as l on l.domain_uuid = %(domain_uuid)s and l.user_id = e.extension
 where e.domain_uuid = %(domain_uuid)s and e.extension_uuid = %(extension_uuid)s
 union
select k.device_uuid
  from v_extensions as e
  join v_device_keys as k on k.domain_uuid = %(domain_uuid)s and k.device_key_value = e.extension
 where e.domain_uuid = %(domain_uuid)s and e.extension_uuid = %(extension_uuid)s
