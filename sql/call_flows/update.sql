-- All columns of a call flow; the caller merges what was sent into the locked row.
-- in:  domain_uuid uuid, call_flow_uuid uuid, the columns as text
update v_call_flows
   set call_flow_name = %(call_flow_name)s,
       call_flow_extension = %(call_flow_extension)s,
       call_flow_feature_code = %(call_flow_feature_code)s,
       call_flow_status = %(call_flow_status)s,
       call_flow_pin_number = %(call_flow_pin_number)s,
       call_flow_label = %(call_flow_label)s,
       call_flow_sound = %(call_flow_sound)s,
       call_flow_app = %(call_flow_app)s,
       call_flow_data = %(call_flow_data)s,
       call_flow_alternate_label = %(call_flow_alternate_label)s,
       call_flow_alternate_sound = %(call_flow_alternate_sound)s,
       call_flow_alternate_app = %(call_flow_alternate_app)s,
       call_flow_alternate_data = %(call_flow_alternate_data)s,
       call_flow_context = %(call_flow_context)s,
       call_flow_enabled = %(call_flow_enabled)s,
       call_flow_description = %(call_flow_description)s,
       dialplan_uuid = %(dialplan_uuid)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and call_flow_uuid = %(call_flow_uuid)s
