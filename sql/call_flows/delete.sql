-- A call flow goes; what belongs to it goes before it.
-- in:  domain_uuid uuid, call_flow_uuid uuid
delete from v_call_flows where domain_uuid = %(domain_uuid)s and call_flow_uuid = %(call_flow_uuid)s
