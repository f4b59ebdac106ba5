-- The extensions of a domain that are in call groups, for the domain's XML file.
-- in:  domain_uuid uuid
-- out: extension text, call_group text
select extension, call_group from v_extensions
 where domain_uuid = %(domain_uuid)s and enabled::text = 'true' and coalesce(call_group, '') <> ''
 order by extension, extension_uuid
