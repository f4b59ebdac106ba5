-- A destination goes; its dialplan goes before it.
-- in:  domain_uuid uuid, destination_uuid uuid
delete from v_destinations where domain_uuid = %(domain_uuid)s and destination_uuid = %(destination_uuid)s
