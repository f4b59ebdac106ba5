-- Devices that took their lines from one that goes take their own again.
-- in:  domain_uuid uuid, device_uuid uuid
-- out: device_uuid of each
-- index: v_devices_device_uuid_alternate_fkey
update v_devices
   set device_uuid_alternate = null, update_date = now()
 where domain_uuid = %(domain_uuid)s and device_uuid_alternate = %(device_uuid)s
returning device_uuid
