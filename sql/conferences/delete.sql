-- A conference goes.
-- in:  domain_uuid uuid, conference_uuid uuid
delete from v_conferences where domain_uuid = %(domain_uuid)s and conference_uuid = %(conference_uuid)s
