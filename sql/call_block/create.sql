-- A new call block; the script that counts its hits needs a number to begin with.
-- in:  domain_uuid uuid, call_block_uuid uuid, the columns as text
insert into v_call_block (
  call_block_uuid,
  domain_uuid,
  call_block_direction,
  extension_uuid,
  call_block_name,
  call_block_country_code,
  call_block_number,
  call_block_count,
  call_block_app,
  call_block_data,
  date_added,
  call_block_enabled,
  call_block_description,
  insert_date
) values (
  %(call_block_uuid)s,
  %(domain_uuid)s,
  %(call_block_direction)s,
  %(extension_uuid)s,
  %(call_block_name)s,
  %(call_block_country_code)s,
  %(call_block_number)s,
  0,
  %(call_block_app)s,
  %(call_block_data)s,
  extract(epoch from now())::bigint::text,
  %(call_block_enabled)s,
  %(call_block_description)s,
  now()
)
