-- Further params and variables of the extension, for its XML.
-- in:  domain_uuid uuid, extension_uuid uuid
-- out: extension_setting_type, _name, _value, _enabled
select extension_setting_type, extension_setting_name, coalesce(extension_setting_value, '') as extension_setting_value,
       extension_setting_enabled::text as extension_setting_enabled
  from v_extension_settings
 where domain_uuid = %(domain_uuid)s and extension_uuid = %(extension_uuid)s
 order by extension_setting_uuid
