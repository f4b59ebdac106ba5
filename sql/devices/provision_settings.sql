-- What phones are told besides lines and keys: FusionPBX's settings of the category provision, weakest first.
-- in:  domain_uuid uuid, device_uuid uuid, device_profile_uuid uuid or null
-- out: name, value
-- index: v_device_settings_device_uuid_fkey, v_device_profile_settings_device_profile_uuid_fkey
select setting.name, setting.value from (
  select 1 as level, default_setting_subcategory as name, default_setting_value as value,
         default_setting_order as place
    from v_default_settings
   where default_setting_category = 'provision' and default_setting_enabled::text = 'true'
  union all
  select 2, domain_setting_subcategory, domain_setting_value, domain_setting_order
    from v_domain_settings
   where domain_uuid = %(domain_uuid)s
     and domain_setting_category = 'provision' and domain_setting_enabled::text = 'true'
  union all
  select 3, profile_setting_name, profile_setting_value, null
    from v_device_profile_settings
   where (domain_uuid = %(domain_uuid)s or domain_uuid is null)
     and device_profile_uuid = %(device_profile_uuid)s and profile_setting_enabled::text = 'true'
  union all
  select 4, device_setting_subcategory, device_setting_value, null
    from v_device_settings
   where domain_uuid = %(domain_uuid)s
     and device_uuid = %(device_uuid)s and device_setting_enabled::text = 'true'
) as setting
 where setting.name is not null and coalesce(setting.value, '') <> ''
 order by setting.level, setting.place
