-- Devices that take their lines from another one.
-- in:  domain_uuid uuid, device_uuid uuid: of that one
-- out: device_uuid of each
-- index: v_devices_device_uuid_alternate_fkey
select device_uuid
  from v_devices
 where domain_uuid = %(domain_uuid)s and device_uuid_alternate = %(device_uuid)s
 order by device_uuid
