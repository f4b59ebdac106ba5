-- All columns of a call block but its count, which the switch writes; the caller merges what was sent.
-- in:  domain_uuid uuid, call_block_uuid uuid, the columns as text
update v_call_block
   set call_block_direction = %(call_block_direction)s,
       extension_uuid = %(extension_uuid)s,
       call_block_name = %(call_block_name)s,
       call_block_country_code = %(call_block_country_code)s,
       call_block_number = %(call_block_number)s,
       call_block_app = %(call_block_app)s,
       call_block_data = %(call_block_data)s,
       call_block_enabled = %(call_block_enabled)s,
       call_block_description = %(call_block_description)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and call_block_uuid = %(call_block_uuid)s
