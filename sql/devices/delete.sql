-- A device goes.
-- in:  domain_uuid uuid, device_uuid uuid
delete from v_devices where domain_uuid = %(domain_uuid)s and device_uuid = %(device_uuid)s
