-- The user's own settings go.
-- in:  domain_uuid uuid, user_uuid uuid
delete from v_user_settings
 where user_uuid = %(user_uuid)s
   and user_uuid in (select user_uuid from v_users where domain_uuid = %(domain_uuid)s)
