-- A new user; its secrets, and what hangs on it (groups, settings, contact), are written apart.
-- in:  domain_uuid uuid, user_uuid uuid, the columns as text
insert into v_users (
  user_uuid,
  domain_uuid,
  username,
  user_email,
  user_status,
  user_type,
  contact_uuid,
  user_enabled,
  add_user,
  add_date,
  insert_date
) values (
  %(user_uuid)s,
  %(domain_uuid)s,
  %(username)s,
  %(user_email)s,
  %(user_status)s,
  %(user_type)s,
  %(contact_uuid)s,
  %(user_enabled)s,
  'pbxapi',
  to_char(now(), 'YYYY-MM-DD HH24:MI:SS.US+00'),
  now()
)
