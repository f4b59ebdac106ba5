-- The domain's extensions, whose directory entries hold the setting domain/dial_string.
-- in:  domain_uuid uuid
-- out: extension_uuid
-- index: v_extensions (domain_uuid)
select extension_uuid from v_extensions where domain_uuid = %(domain_uuid)s
