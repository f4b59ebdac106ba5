-- The users of a conference go, to be replaced or with it.
-- in:  domain_uuid uuid, conference_uuid uuid
-- index: v_conference_users (conference_uuid)
delete from v_conference_users where domain_uuid = %(domain_uuid)s and conference_uuid = %(conference_uuid)s
