-- Ring groups of the domain no longer ring the extension.
-- in:  domain_uuid uuid, numbers text[]
delete from v_ring_group_destinations
 where domain_uuid = %(domain_uuid)s and destination_number = any(%(numbers)s)
