-- The extension is linked to no user any more.
-- in:  domain_uuid uuid, extension_uuid uuid
delete from v_extension_users where domain_uuid = %(domain_uuid)s and extension_uuid = %(extension_uuid)s
