-- All columns of a device; the caller merges what was sent into the locked row.
-- in:  domain_uuid uuid, device_uuid uuid, the columns as text
update v_devices
   set device_address = %(device_address)s,
       device_vendor = %(device_vendor)s,
       device_model = %(device_model)s,
       device_enabled = %(device_enabled)s,
       device_label = %(device_label)s,
       device_description = %(device_description)s,
       device_template = %(device_template)s,
       device_username = %(device_username)s,
       device_password = %(device_password)s,
       device_location = %(device_location)s,
       device_serial_number = %(device_serial_number)s,  --? v_devices.device_serial_number
       device_firmware_version = %(device_firmware_version)s,
       device_profile_uuid = %(device_profile_uuid)s,
       device_user_uuid = %(device_user_uuid)s,
       device_uuid_alternate = %(device_uuid_alternate)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and device_uuid = %(device_uuid)s
