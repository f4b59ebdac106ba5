-- Further params and variables of the extension go.
-- in:  domain_uuid uuid, extension_uuid uuid
delete from v_extension_settings where domain_uuid = %(domain_uuid)s and extension_uuid = %(extension_uuid)s
