-- Conferences of a domain, for the list: without their PINs.
-- in:  domain_uuid uuid
-- out: the columns of a list row, flags as "true"/"false"
-- index: v_conferences (domain_uuid)
select c.conference_uuid,
       coalesce(c.conference_name, '') as conference_name,
       coalesce(c.conference_extension, '') as conference_extension,
       coalesce(c.conference_profile, '') as conference_profile,
       coalesce(c.conference_flags, '') as conference_flags,
       coalesce(c.conference_enabled::text, 'false') as conference_enabled,
       coalesce(c.conference_description, '') as conference_description
  from v_conferences as c
 where c.domain_uuid = %(domain_uuid)s
