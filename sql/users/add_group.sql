-- The user becomes a member of a group; FusionPBX reads the name as well as the uuid.
-- in:  domain_uuid uuid, user_group_uuid uuid, user_uuid uuid, group_uuid uuid, group_name text
insert into v_user_groups (user_group_uuid, domain_uuid, group_name, group_uuid, user_uuid, insert_date)
values (%(user_group_uuid)s, %(domain_uuid)s, %(group_name)s, %(group_uuid)s, %(user_uuid)s, now())
