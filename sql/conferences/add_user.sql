-- A user who sees the conference in FusionPBX.
-- in:  domain_uuid uuid, conference_uuid uuid, conference_user_uuid uuid, user_uuid uuid
insert into v_conference_users (conference_user_uuid, domain_uuid, conference_uuid, user_uuid, insert_date)
values (%(conference_user_uuid)s, %(domain_uuid)s, %(conference_uuid)s, %(user_uuid)s, now())
