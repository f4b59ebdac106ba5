-- Users of a domain, for the list.
-- in:  domain_uuid uuid
-- out: the columns of a list row, user_enabled as "true"/"false" (FusionPBX lets a user with NULL log in)
-- index: v_users (domain_uuid)
select u.user_uuid,
       coalesce(u.username, '') as username,
       coalesce(u.user_email, '') as user_email,
       coalesce(u.user_enabled::text, 'true') as user_enabled
  from v_users as u
 where u.domain_uuid = %(domain_uuid)s
