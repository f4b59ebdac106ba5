-- A new user; what hangs on it (groups, settings, contact) is written apart.
-- in:  domain_uuid uuid, user_uuid uuid, password a bcrypt hash, the other columns as text
insert into v_users (
  user_uuid,
  domain_uuid,
  username,
  password,
  salt,
  user_email,
  user_status,
  api_key,
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
  %(password)s,
  null,
  %(user_email)s,
  %(user_status)s,
  %(api_key)s,
  %(user_type)s,
  %(contact_uuid)s,
  %(user_enabled)s,
  'pbxapi',
  to_char(now(), 'YYYY-MM-DD HH24:MI:SS.US+00'),
  now()
)
