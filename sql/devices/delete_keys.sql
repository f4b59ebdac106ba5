-- The keys of a device go.
-- in:  domain_uuid uuid, device_uuid uuid
-- index: v_device_keys_device_uuid_fkey
delete from v_device_keys where domain_uuid = %(domain_uuid)s and device_uuid = %(device_uuid)s
