-- Links the extension to a user.
-- in:  domain_uuid uuid, extension_user_uuid uuid, extension_uuid uuid, user_uuid uuid
insert into v_extension_users (extension_user_uuid, domain_uuid, extension_uuid, user_uuid, insert_date)
values (%(extension_user_uuid)s, %(domain_uuid)s, %(extension_uuid)s, %(user_uuid)s, now())
