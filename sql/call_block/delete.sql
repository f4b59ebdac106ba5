-- A call block goes.
-- in:  domain_uuid uuid, call_block_uuid uuid
delete from v_call_block where domain_uuid = %(domain_uuid)s and call_block_uuid = %(call_block_uuid)s
