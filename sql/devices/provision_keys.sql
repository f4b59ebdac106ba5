-- The keys of a phone: those of its profile, then its own, which win. Keys for other vendors are left out.
-- in:  domain_uuid uuid, device_uuid uuid, device_profile_uuid uuid or null, vendors text[] in lower case
-- out: the columns of a key as text; caller_id_name of the extension that it points to
-- index: v_device_keys_device_uuid_fkey, v_device_profile_keys_device_profile_uuid_fkey
select coalesce(key.category, '') as device_key_category,
       coalesce(key.id::text, '') as device_key_id,
       coalesce(key.type, '') as device_key_type,
       coalesce(key.subtype, '') as device_key_subtype,
       coalesce(key.line::text, '') as device_key_line,
       coalesce(key.value, '') as device_key_value,
       coalesce(key.extension, '') as device_key_extension,
       coalesce(key.protected, '') as device_key_protected,
       coalesce(key.label, '') as device_key_label,
       coalesce(key.icon, '') as device_key_icon,
       coalesce(e.effective_caller_id_name, '') as caller_id_name
  from (
    select 1 as level, profile_key_category as category, profile_key_id as id, profile_key_vendor as vendor,
           profile_key_type as type, profile_key_subtype as subtype, profile_key_line as line,
           profile_key_value as value, profile_key_extension as extension,
           profile_key_protected::text as protected, profile_key_label as label, profile_key_icon as icon
      from v_device_profile_keys
     where (domain_uuid = %(domain_uuid)s or domain_uuid is null) and device_profile_uuid = %(device_profile_uuid)s
    union all
    select 2, device_key_category, device_key_id, device_key_vendor, device_key_type, device_key_subtype,
           device_key_line, device_key_value, device_key_extension, device_key_protected::text, device_key_label,
           device_key_icon
      from v_device_keys
     where domain_uuid = %(domain_uuid)s and device_uuid = %(device_uuid)s
  ) as key
  left join lateral (
    select effective_caller_id_name
      from v_extensions
     where domain_uuid = %(domain_uuid)s and extension = key.value
     limit 1
  ) as e on true
 where key.vendor is null or lower(key.vendor) = any(%(vendors)s)
 order by key.level, key.category, key.id::numeric
