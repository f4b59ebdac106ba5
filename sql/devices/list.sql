-- Devices of a domain, for the list.
-- in:  domain_uuid uuid
-- out: the columns of a list row and of the filters, flags as "true"/"false"; address_spellings is for the search:
--      people look for an address as it is printed on the phone
-- index: v_devices_domain_uuid_fkey
select d.device_uuid,
       coalesce(d.device_address, '') as device_address,
       coalesce(d.device_vendor, '') as device_vendor,
       coalesce(d.device_model, '') as device_model,
       coalesce(d.device_enabled::text, 'false') as device_enabled,
       coalesce(d.device_label, '') as device_label,
       coalesce(d.device_description, '') as device_description,
       coalesce(d.device_template, '') as device_template,
       coalesce(d.device_location, '') as device_location,
       coalesce(d.device_serial_number, '') as device_serial_number,  --? v_devices.device_serial_number
       coalesce(d.device_profile_uuid::text, '') as device_profile_uuid,
       coalesce(d.device_user_uuid::text, '') as device_user_uuid,
       concat_ws(' ', d.device_address,
                 regexp_replace(d.device_address, '(..)(?!$)', '\1:', 'g'),
                 regexp_replace(d.device_address, '(..)(?!$)', '\1-', 'g')) as address_spellings
  from v_devices as d
 where d.domain_uuid = %(domain_uuid)s
