-- An extension goes.
-- in:  domain_uuid uuid, extension_uuid uuid
delete from v_extensions where domain_uuid = %(domain_uuid)s and extension_uuid = %(extension_uuid)s
