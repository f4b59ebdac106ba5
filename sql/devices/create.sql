-- A new device.
-- in:  domain_uuid uuid, device_uuid uuid, the columns as text
insert into v_devices (
  device_uuid,
  domain_uuid,
  device_address,
  device_vendor,
  device_model,
  device_enabled,
  device_label,
  device_description,
  device_template,
  device_username,
  device_password,
  device_location,
  device_serial_number,  --? v_devices.device_serial_number
  device_firmware_version,
  device_profile_uuid,
  device_user_uuid,
  device_uuid_alternate,
  insert_date
) values (
  %(device_uuid)s,
  %(domain_uuid)s,
  %(device_address)s,
  %(device_vendor)s,
  %(device_model)s,
  %(device_enabled)s,
  %(device_label)s,
  %(device_description)s,
  %(device_template)s,
  %(device_username)s,
  %(device_password)s,
  %(device_location)s,
  %(device_serial_number)s,  --? v_devices.device_serial_number
  %(device_firmware_version)s,
  %(device_profile_uuid)s,
  %(device_user_uuid)s,
  %(device_uuid_alternate)s,
  now()
)
