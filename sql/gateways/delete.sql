-- A gateway goes.
-- in:  domain_uuid uuid, gateway_uuid uuid
delete from v_gateways where domain_uuid = %(domain_uuid)s and gateway_uuid = %(gateway_uuid)s
