-- A ring group goes; what belongs to it goes before it.
-- in:  domain_uuid uuid, ring_group_uuid uuid
delete from v_ring_groups where domain_uuid = %(domain_uuid)s and ring_group_uuid = %(ring_group_uuid)s
