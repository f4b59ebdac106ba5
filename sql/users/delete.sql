-- A user goes; what belongs to it went before.
-- in:  domain_uuid uuid, user_uuid uuid
delete from v_users where domain_uuid = %(domain_uuid)s and user_uuid = %(user_uuid)s
