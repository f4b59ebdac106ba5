-- Another value of a setting.
-- in:  domain_uuid uuid, domain_setting_uuid uuid, the columns as text
update v_domain_settings
   set domain_setting_value = %(value)s,
       domain_setting_order = %(order)s,
       domain_setting_enabled = %(enabled)s,
       domain_setting_description = %(description)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and domain_setting_uuid = %(domain_setting_uuid)s
