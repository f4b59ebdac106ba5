-- The keys of a device, in one statement.
-- in:  domain_uuid uuid, device_uuid uuid, keys jsonb: a list of objects, keys as the columns, texts or null
insert into v_device_keys (
  device_key_uuid,
  device_key_id,
  device_key_category,
  device_key_vendor,
  device_key_type,
  device_key_subtype,
  device_key_line,
  device_key_value,
  device_key_extension,
  device_key_protected,
  device_key_label,
  device_key_icon,
  device_uuid,
  domain_uuid,
  insert_date
)
select r.device_key_uuid,
       r.device_key_id,
       r.device_key_category,
       r.device_key_vendor,
       r.device_key_type,
       r.device_key_subtype,
       r.device_key_line,
       r.device_key_value,
       r.device_key_extension,
       r.device_key_protected,
       r.device_key_label,
       r.device_key_icon,
       %(device_uuid)s,
       %(domain_uuid)s,
       now()
  from jsonb_populate_recordset(null::v_device_keys, %(keys)s::jsonb) as r
