-- The user's contact.
-- in:  domain_uuid uuid, user_uuid uuid, contact_uuid uuid
update v_users
   set contact_uuid = %(contact_uuid)s
 where domain_uuid = %(domain_uuid)s and user_uuid = %(user_uuid)s
