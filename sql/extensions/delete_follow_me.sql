-- Follow me of the extension goes, with its destinations.
-- in:  domain_uuid uuid, extension_uuid uuid
with own as (
  select follow_me_uuid from v_extensions
   where domain_uuid = %(domain_uuid)s and extension_uuid = %(extension_uuid)s and follow_me_uuid is not null
), destinations as (
  delete from v_follow_me_destinations
   where domain_uuid = %(domain_uuid)s and follow_me_uuid in (select follow_me_uuid from own)
)
delete from v_follow_me
 where domain_uuid = %(domain_uuid)s and follow_me_uuid in (select follow_me_uuid from own)
