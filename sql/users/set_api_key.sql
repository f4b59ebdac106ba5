-- Another API key, or none.
-- in:  domain_uuid uuid, user_uuid uuid, api_key text or null
update v_users
   set api_key = %(api_key)s
 where domain_uuid = %(domain_uuid)s and user_uuid = %(user_uuid)s
