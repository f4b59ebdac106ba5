-- One conference, with the users that see it in FusionPBX.
-- in:  domain_uuid uuid, conference_uuid uuid
-- out: its columns as text, flags as "true"/"false"; users as a list
-- index: primary key; v_conference_users (conference_uuid)
select c.conference_uuid,
       coalesce(c.dialplan_uuid::text, '') as dialplan_uuid,
       coalesce(c.conference_name, '') as conference_name,
       coalesce(c.conference_extension, '') as conference_extension,
       coalesce(c.conference_pin_number, '') as conference_pin_number,
       coalesce(c.conference_profile, '') as conference_profile,
       coalesce(c.conference_flags, '') as conference_flags,
       coalesce(c.conference_email_address, '') as conference_email_address,  --? v_conferences.conference_email_address
       coalesce(c.conference_account_code, '') as conference_account_code,  --? v_conferences.conference_account_code
       coalesce(c.conference_order::text, '') as conference_order,
       coalesce(c.conference_context, '') as conference_context,  --? v_conferences.conference_context
       coalesce(c.conference_enabled::text, 'false') as conference_enabled,
       coalesce(c.conference_description, '') as conference_description,
       (select coalesce(json_agg(u.user_uuid order by u.user_uuid), '[]')
          from v_conference_users as u
         where u.domain_uuid = %(domain_uuid)s and u.conference_uuid = c.conference_uuid) as conference_users
  from v_conferences as c
 where c.domain_uuid = %(domain_uuid)s and c.conference_uuid = %(conference_uuid)s
