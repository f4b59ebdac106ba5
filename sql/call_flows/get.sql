-- One call flow.
-- in:  domain_uuid uuid, call_flow_uuid uuid
-- out: every column as text, flags as "true"/"false"
-- index: primary key
select f.call_flow_uuid,
       coalesce(f.call_flow_name, '') as call_flow_name,
       coalesce(f.call_flow_extension, '') as call_flow_extension,
       coalesce(f.call_flow_feature_code, '') as call_flow_feature_code,
       coalesce(nullif(f.call_flow_status, ''), 'true') as call_flow_status,
       coalesce(f.call_flow_pin_number, '') as call_flow_pin_number,
       coalesce(f.call_flow_label, '') as call_flow_label,
       coalesce(f.call_flow_sound, '') as call_flow_sound,
       coalesce(f.call_flow_app, '') as call_flow_app,
       coalesce(f.call_flow_data, '') as call_flow_data,
       coalesce(f.call_flow_alternate_label, '') as call_flow_alternate_label,
       coalesce(f.call_flow_alternate_sound, '') as call_flow_alternate_sound,
       coalesce(f.call_flow_alternate_app, '') as call_flow_alternate_app,
       coalesce(f.call_flow_alternate_data, '') as call_flow_alternate_data,
       coalesce(f.call_flow_context, '') as call_flow_context,
       coalesce(f.call_flow_enabled::text, 'false') as call_flow_enabled,
       coalesce(f.call_flow_description, '') as call_flow_description,
       coalesce(f.dialplan_uuid::text, '') as dialplan_uuid
  from v_call_flows as f
 where f.domain_uuid = %(domain_uuid)s and f.call_flow_uuid = %(call_flow_uuid)s
