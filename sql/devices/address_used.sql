-- Whether another device has an address, be it of another domain: its files are not ours to remove.
-- in:  domain_uuid uuid, device_uuid uuid, device_address text
-- out: one row if so
-- index: v_devices (lower(device_address))
select 1 as used
  from v_devices
 where lower(device_address) = lower(%(device_address)s)
   and (device_uuid <> %(device_uuid)s or domain_uuid is distinct from %(domain_uuid)s)
 limit 1
