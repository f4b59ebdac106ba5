-- The settings of a device, in one statement.
-- in:  domain_uuid uuid, device_uuid uuid, settings jsonb: a list of objects, keys as the columns, texts or null
insert into v_device_settings (
  device_setting_uuid,
  device_setting_category,
  device_setting_subcategory,
  device_setting_name,
  device_setting_value,
  device_setting_enabled,
  device_setting_description,
  device_uuid,
  domain_uuid,
  insert_date
)
select r.device_setting_uuid,
       r.device_setting_category,
       r.device_setting_subcategory,
       r.device_setting_name,
       r.device_setting_value,
       r.device_setting_enabled,
       r.device_setting_description,
       %(device_uuid)s,
       %(domain_uuid)s,
       now()
  from jsonb_populate_recordset(null::v_device_settings, %(settings)s::jsonb) as r
