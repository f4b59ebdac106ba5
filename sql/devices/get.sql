-- One device, as get answers it and as update merges into.
-- in:  domain_uuid uuid, device_uuid uuid
-- out: every column that FusionPBX's editor lets one change, flags as "true"/"false"; lines, keys and settings as
--      lists. A line whose enabled is NULL counts as enabled, as for FusionPBX's provisioning.
-- index: primary key, v_device_lines_device_uuid_fkey, v_device_keys_device_uuid_fkey, v_device_settings_device_uuid_fkey
select d.device_uuid,
       coalesce(d.device_address, '') as device_address,
       coalesce(d.device_vendor, '') as device_vendor,
       coalesce(d.device_model, '') as device_model,
       coalesce(d.device_enabled::text, 'false') as device_enabled,
       coalesce(d.device_label, '') as device_label,
       coalesce(d.device_description, '') as device_description,
       coalesce(d.device_template, '') as device_template,
       coalesce(d.device_username, '') as device_username,
       coalesce(d.device_password, '') as device_password,
       coalesce(d.device_location, '') as device_location,
       coalesce(d.device_serial_number, '') as device_serial_number,  --? v_devices.device_serial_number
       coalesce(d.device_firmware_version, '') as device_firmware_version,
       coalesce(d.device_profile_uuid::text, '') as device_profile_uuid,
       coalesce(d.device_user_uuid::text, '') as device_user_uuid,
       coalesce(d.device_uuid_alternate::text, '') as device_uuid_alternate,
       coalesce(to_char(d.device_provisioned_date at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '')
         as device_provisioned_date,
       coalesce(d.device_provisioned_method, '') as device_provisioned_method,
       coalesce(d.device_provisioned_ip, '') as device_provisioned_ip,
       coalesce(d.device_provisioned_agent, '') as device_provisioned_agent,
       (select coalesce(json_agg(json_build_object(
                 'device_line_uuid', l.device_line_uuid,
                 'line_number', coalesce(l.line_number, ''),
                 'server_address', coalesce(l.server_address, ''),
                 'display_name', coalesce(l.display_name, ''),
                 'user_id', coalesce(l.user_id, ''),
                 'auth_id', coalesce(l.auth_id, ''),
                 'password', coalesce(l.password, ''),
                 'label', coalesce(l.label, ''),
                 'enabled', coalesce(l.enabled::text, 'true'),
                 'server_address_primary', coalesce(l.server_address_primary, ''),
                 'server_address_secondary', coalesce(l.server_address_secondary, ''),
                 'outbound_proxy_primary', coalesce(l.outbound_proxy_primary, ''),
                 'outbound_proxy_secondary', coalesce(l.outbound_proxy_secondary, ''),
                 'sip_port', coalesce(l.sip_port::text, ''),
                 'sip_transport', coalesce(l.sip_transport, ''),
                 'register_expires', coalesce(l.register_expires::text, ''),
                 'shared_line', coalesce(l.shared_line, '')
               ) order by lpad(l.line_number, 20, '0'), l.device_line_uuid), '[]')
          from v_device_lines as l
         where l.device_uuid = d.device_uuid and l.domain_uuid = %(domain_uuid)s) as device_lines,
       (select coalesce(json_agg(json_build_object(
                 'device_key_uuid', k.device_key_uuid,
                 'device_key_category', coalesce(k.device_key_category, ''),
                 'device_key_id', coalesce(k.device_key_id::text, ''),
                 'device_key_vendor', coalesce(k.device_key_vendor, ''),
                 'device_key_type', coalesce(k.device_key_type, ''),
                 'device_key_subtype', coalesce(k.device_key_subtype, ''),
                 'device_key_line', coalesce(k.device_key_line::text, ''),
                 'device_key_value', coalesce(k.device_key_value, ''),
                 'device_key_extension', coalesce(k.device_key_extension, ''),
                 'device_key_protected', coalesce(k.device_key_protected::text, ''),
                 'device_key_label', coalesce(k.device_key_label, ''),
                 'device_key_icon', coalesce(k.device_key_icon, '')
               ) order by k.device_key_vendor,
                          array_position(array['line', 'memory', 'programmable', 'expansion'], k.device_key_category),
                          k.device_key_category, k.device_key_id::numeric, k.device_key_uuid), '[]')
          from v_device_keys as k
         where k.device_uuid = d.device_uuid and k.domain_uuid = %(domain_uuid)s) as device_keys,
       (select coalesce(json_agg(json_build_object(
                 'device_setting_uuid', s.device_setting_uuid,
                 'device_setting_category', coalesce(s.device_setting_category, ''),
                 'device_setting_subcategory', coalesce(s.device_setting_subcategory, ''),
                 'device_setting_name', coalesce(s.device_setting_name, ''),
                 'device_setting_value', coalesce(s.device_setting_value, ''),
                 'device_setting_enabled', coalesce(s.device_setting_enabled::text, 'false'),
                 'device_setting_description', coalesce(s.device_setting_description, '')
               ) order by s.device_setting_subcategory, s.device_setting_uuid), '[]')
          from v_device_settings as s
         where s.device_uuid = d.device_uuid and s.domain_uuid = %(domain_uuid)s) as device_settings
  from v_devices as d
 where d.domain_uuid = %(domain_uuid)s and d.device_uuid = %(device_uuid)s
