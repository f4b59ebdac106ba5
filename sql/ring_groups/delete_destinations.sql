-- The destinations of a ring group go.
-- in:  domain_uuid uuid, ring_group_uuid uuid
-- index: v_ring_group_destinations_ring_group_uuid_fkey
delete from v_ring_group_destinations where domain_uuid = %(domain_uuid)s and ring_group_uuid = %(ring_group_uuid)s
