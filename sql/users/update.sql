-- The columns of a user but its password and API key; the caller merges what was sent into the locked row.
-- in:  domain_uuid uuid, user_uuid uuid, the columns as text
update v_users
   set username = %(username)s,
       user_email = %(user_email)s,
       user_status = %(user_status)s,
       user_type = %(user_type)s,
       contact_uuid = %(contact_uuid)s,
       user_enabled = %(user_enabled)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and user_uuid = %(user_uuid)s
