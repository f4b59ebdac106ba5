-- One call block.
-- in:  domain_uuid uuid, call_block_uuid uuid
-- out: its columns as text, flags as "true"/"false"
-- index: primary key
select b.call_block_uuid,
       coalesce(b.call_block_direction, '') as call_block_direction,
       coalesce(b.extension_uuid::text, '') as extension_uuid,
       coalesce(b.call_block_name, '') as call_block_name,
       coalesce(b.call_block_country_code::text, '') as call_block_country_code,
       coalesce(b.call_block_number, '') as call_block_number,
       coalesce(b.call_block_app, '') as call_block_app,
       coalesce(b.call_block_data, '') as call_block_data,
       coalesce(b.call_block_count, 0)::int as call_block_count,
       coalesce(b.call_block_enabled::text, 'false') as call_block_enabled,
       coalesce(b.call_block_description, '') as call_block_description,
       coalesce(b.date_added, '') as date_added
  from v_call_block as b
 where b.domain_uuid = %(domain_uuid)s and b.call_block_uuid = %(call_block_uuid)s
