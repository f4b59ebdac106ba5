-- Another password: FusionPBX's login takes a hash that begins with $ and no salt.
-- in:  domain_uuid uuid, user_uuid uuid, password a bcrypt hash
update v_users
   set password = %(password)s, salt = null
 where domain_uuid = %(domain_uuid)s and user_uuid = %(user_uuid)s
