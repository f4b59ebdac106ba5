-- Call flows of a domain, for the list.
-- in:  domain_uuid uuid
-- out: the columns of a list row, flags as "true"/"false"
-- index: v_call_flows (domain_uuid)
select f.call_flow_uuid,
       coalesce(f.call_flow_name, '') as call_flow_name,
       coalesce(f.call_flow_extension, '') as call_flow_extension,
       coalesce(f.call_flow_feature_code, '') as call_flow_feature_code,
       coalesce(nullif(f.call_flow_status, ''), 'true') as call_flow_status,
       coalesce(f.call_flow_label, '') as call_flow_label,
       coalesce(f.call_flow_alternate_label, '') as call_flow_alternate_label,
       coalesce(f.call_flow_enabled::text, 'false') as call_flow_enabled,
       coalesce(f.call_flow_description, '') as call_flow_description
  from v_call_flows as f
 where f.domain_uuid = %(domain_uuid)s
